"""The page of errors: the problems of the service and the kinds of failures of the command line, with the advice for each.

The advice is here, and everything else comes from the code. A test compares the names in both.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PROBLEMS: dict[str, str] = {
    "too-many-bytes": "Send a smaller file, or have the operator raise `--max-bytes`.",
    "too-many-pixels": "Send a smaller picture or ask for a smaller scale, or have the operator raise `--max-pixels` or `--max-output-pixels`.",
    "too-long": "Send the picture as a job (`POST /v1/jobs`), ask for a smaller scale or a smaller model, or allow more time with `X-Upconv-Timeout`.",
    "not-an-image": "Send a file in a format that is read ([pictures.md](pictures.md)). Look at the first bytes: an error page in HTML is a common cause.",
    "not-a-picture-type": "Send the picture as the raw body, or as the field `file` of a form, with a `Content-Type` of pictures or `application/octet-stream`.",
    "damaged-image": "Save the picture again with another program. The file is cut off, or its content does not match its header.",
    "unknown-model": "Take a name from `GET /v1/models`, or leave `model` out.",
    "refused-model": "Read `detail`: the file cannot be used, or the model is the last one. `GET /v1/models` has the reason for each refused file.",
    "model-changed": "Ask for the list of models again. The operator reloads changed files with `POST /v1/models/reload` or `--watch`.",
    "bad-parameter": "Correct the parameter that `detail` names. [reference-http.md](reference-http.md) lists all of them with their limits.",
    "unknown-job": "Submit the picture again. Jobs expire after `--job-ttl-s`, and a job belongs to the API key that created it.",
    "no-result": "Wait until the `state` of the job is `done`. If it is `failed`, its `error` has the reason.",
    "not-retriable": "Submit the picture as a new job. Only a failed job whose picture is kept can be queued again.",
    "idempotency-key-reused": "Use a new `Idempotency-Key` for each picture and each set of parameters.",
    "key-required": "Send `Authorization: Bearer KEY` or `X-API-Key: KEY` with a key that is in force.",
    "forbidden": "Use a key with the scope of the route ([service.md](service.md#keys)). `detail` says if the operator has switched the route off.",
    "bad-signature": "Sign the path as it is sent, with the key and the salt of this service ([service.md](service.md#signed-urls)).",
    "source-failed": "Check that the service can reach the URL, and that it answers with the picture and without a redirect. Then try again.",
    "slow-body": "Try again on a faster connection. The limits are `--body-timeout-s` and `--stall-s`.",
    "client-gone": "Nothing. It is in the log only, because there was nobody to answer.",
    "stopping": "Try again: another process answers, or this one after its restart.",
    "unsupported": "Leave this part of the inference protocol out. `GET /v2` lists the supported extensions.",
    "too-many-requests": "Wait for `Retry-After`, and send fewer requests at once. The limits are `--rate-per-s` and `--max-jobs-per-key`.",
    "no-storage": "Wait for `Retry-After`. If it stays, the operator looks at the database of jobs ([runbook.md](runbook.md)).",
    "deadline": "Try again when the service is less busy, allow more time with `X-Upconv-Timeout`, or send a job.",
    "no-memory": "Wait for `Retry-After`. If it stays, the operator adds memory or lowers `--max-memory-bytes`.",
    "no-room": "Wait for `Retry-After`. If it stays, the operator makes room on the disk.",
    "no-disk": "Wait for `Retry-After`. If it stays, the operator checks the permissions of the folders of the service.",
    "no-resources": "Wait for `Retry-After`. If it stays, the operator raises the limits on threads and open files.",
    "too-many-connections": "Close connections that are not used, or share them. The limits are `--max-connections` and `--max-connections-per-client`.",
    "full": "Wait for `Retry-After`. If it happens often, the operator adds machines ([fleet.md](fleet.md)).",
    "device-lost": "Try again later. The operator restarts the service, or repairs the driver ([runbook.md](runbook.md)).",
    "no-endpoint": "Try again later. The operator checks the servers of `--tiles-from` ([fleet.md](fleet.md)).",
    "model-failed": "Give the operator the `X-Request-Id` of the response. The log has the cause under it.",
    "internal": "Give the operator the `X-Request-Id` of the response. The log has the cause under it. It is a fault of the service: please report it.",
}

OF_HTTP: dict[int, str] = {
    400: "The request is not HTTP/1.1, or its body cannot be read as JSON or as a form. Correct the client.",
    404: "There is no such route. `/docs` lists all of them.",
    405: "The route does not have this method. `Allow` lists those that it has.",
    416: "The range lies beyond the end of the result. `Content-Range` has its length.",
    431: "The head of the request is longer than 32 KiB. Send fewer or shorter headers.",
}
"""Statuses whose problem is named as HTTP names the status."""

FAILURES: dict[str, str] = {
    "UpconvError": "Read the sentence. It is an error that none of the others describes.",
    "ModelError": "Check the path and the file. `upconv inspect FILE` says what it holds.",
    "ContractError": "Export the model again with `upconv export`, which writes the contract; or update upconv, if the contract is newer.",
    "ProviderError": "Run `upconv devices`. It lists the providers that work here, and what to install for the others.",
    "DeviceLostError": "Check the driver and the card, and run the command again. A folder continues where it ended.",
    "NoEndpointError": "Check that the servers of `--tiles-from` run and serve the same model file.",
    "ImageError": "Save the picture again with another program, or in another format. `upconv doctor` lists the formats that can be read here.",
    "ImageTooLargeError": "Raise `--max-pixels` or `--max-output-pixels`, if you trust the file.",
    "OutputError": "Check the folder and its permissions.",
    "MachineError": "Raise the limits on threads and open files (`ulimit -u`, `ulimit -n`), or run fewer programs.",
    "OutOfMemoryError": "Close other programs, or process less at once. `--dry-run` predicts the memory.",
    "DiskFullError": "Make room on the disk. A folder continues where it ended.",
    "ParameterError": "Correct the option that the sentence names. `upconv COMMAND --help` lists all of them.",
    "SourceError": "Check the name and the path of the factory or the file, its arguments and its weights.",
    "ExportError": "No file was written. Change the line of the network that the sentence names, or try `--fixed HxW` or another `--opset`.",
    "UnequalGraphError": "No file was written, because it would compute something else. Narrow the sizes with `--fixed HxW`, or report the network.",
    "Cancelled": "Nothing. The work was stopped on purpose.",
    "Overloaded": "Try again later.",
    "TimedOut": "Try again later, or allow more time.",
    "UsageError": "Run `upconv COMMAND --help`. It shows how the command is written.",
    "Interrupted": "Run the command again. A folder continues where it ended.",
    "MissingPackage": "Install what the sentence names. It prints the command.",
    "InternalError": "It is a fault of upconv. Please report it, with the traceback and the output of `upconv doctor`.",
}

_ONLY_NAMED = {
    "UsageError": "The command line is wrong.",
    "Interrupted": "Ctrl-C stopped the command.",
    "MissingPackage": "A package that this command needs is not installed.",
    "InternalError": "The program failed unexpectedly.",
}
"""Kinds of failures that are no class of an error of upconv."""


def errors() -> Iterator[str]:
    """Yield the lines of the page."""
    yield "Each error has one sentence for people, and a name for programs. The names do not change; the sentences may."
    yield from ("", "## Of the service", "")
    yield "Under `/v1`, an error is `application/problem+json`. The name is the last part of `type`, such as `/docs#too-many-bytes`. `detail` is the sentence."
    yield "Errors of the statuses 429 and 503 pass: wait for as many seconds as `Retry-After` says, and send the same request again."
    yield 'Under `/v2`, an error is `{"error": SENTENCE}` with the same status, except that 415 and 422 become 400. The Python client raises `ServiceError`,'
    yield "whose `kind` is the name. A job that failed has the object in its field `error`."
    for slug, (status, title) in sorted(problems().items(), key=lambda entry: (entry[1][0], entry[0])):
        yield from ("", f"### {slug}", "", f"Status {status}. {title}.", "", PROBLEMS[slug])
    yield from ("", "### Of HTTP itself", "")
    yield from ("What is wrong with the request as HTTP has the name that HTTP gives to the status, such as `not-found`:", "")
    yield from ("| status | what to do |", "| --- | --- |")
    yield from (f"| {status} | {advice} |" for status, advice in OF_HTTP.items())
    yield from _of_the_command_line()


def _of_the_command_line() -> Iterator[str]:
    from upconv.cli.standard_streams import _BROKEN_PIPE_STATUS
    from upconv.cli.termination import _STATUS

    yield from ("", "## Of the command line", "")
    yield "A command that fails prints the sentence on standard error. With `--json`, it also prints an object whose `kind` is the name:"
    yield '`{"error": "no such file: a.jpg", "kind": "ParameterError", "exit_code": 1}`. In Python, the same names are classes of'
    yield "`upconv.runtime.errors`. `upconv serve` writes its errors to its log instead."
    yield from ("", "| kind | meaning | what to do |", "| --- | --- | --- |")
    meanings = {**failures(), **_ONLY_NAMED}
    yield from (f"| `{kind}` | {meanings[kind]} | {advice} |" for kind, advice in FAILURES.items())
    yield from ("", "### Exit codes", "", "| code | meaning |", "| --- | --- |")
    yield "| 0 | It worked. |"
    yield "| 1 | It failed, and the sentence says why. `upconv parity`: not the same function. `upconv doctor`: something is missing. A folder: at least one file has no result. |"
    yield "| 2 | The command line is wrong. `upconv parity`: the two cannot be compared. |"
    yield "| 130 | Ctrl-C. |"
    yield f"| {_BROKEN_PIPE_STATUS} | The program that read the output has ended, as in `upconv … \\| head`. |"
    yield f"| {_STATUS} | SIGTERM. |"


def problems() -> dict[str, tuple[int, str]]:
    """Return the status and the title of every problem of the service, by name."""
    from upconv.service.errors import KINDS, UNEXPECTED

    return {kind.slug: (kind.status, kind.title) for kind in (*KINDS.values(), UNEXPECTED)}


@cache
def failures() -> dict[str, str]:
    """Return the first line of the docstring of every error of the folders that commands use, by the name of its class.

    The files are read and not imported, because some of them need torch.
    """
    from upconv.runtime import errors as tree

    found = {
        name: inspect.getdoc(kind) or ""
        for name, kind in vars(tree).items()
        if inspect.isclass(kind) and issubclass(kind, tree.UpconvError)
    }
    for folder in ("runtime", "export", "models", "cluster", "src/upconv/cli"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text()
            if not set(re.findall(r"^class \w+\((\w+)\)", text, re.MULTILINE)) & set(found):
                continue
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.ClassDef) and any(getattr(base, "id", "") in found for base in node.bases):
                    found[node.name] = (ast.get_docstring(node) or "").splitlines()[0]
    return {name: text.splitlines()[0] for name, text in found.items()}


def named_kinds() -> set[str]:
    """Return the kinds of failures that the command line names itself."""
    calls = (
        node
        for path in (ROOT / "src/upconv/cli").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "CommandFailure"
    )
    return {
        str(word.value)
        for call in calls
        for word in call.args[1:2]
        if isinstance(word, ast.Constant) and isinstance(word.value, str)
    }

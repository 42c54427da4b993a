"""The program of the process that runs onnxsim. It imports onnxsim once, and forks for each graph."""

from __future__ import annotations

import json
import os
import sys
import traceback


def main() -> None:
    """Read one line of JSON for each graph, and print the exit code of its run."""
    # onnxsim imports both for functions and a table that are not used here, and needs more time for them than for most graphs.
    sys.modules["torch"] = sys.modules["sympy"] = None  # type: ignore[assignment]
    import onnxsim

    def run(before: str, after: str, messages: str) -> int:
        for number, path in enumerate((os.devnull, os.devnull, messages)):
            os.dup2(os.open(path, os.O_RDWR | os.O_APPEND), number)
        sys.argv = ["onnxsim", before, after]
        try:
            onnxsim.main()
        except BaseException:
            traceback.print_exc()
            return 1
        return 0

    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        if hasattr(os, "fork"):
            child = os.fork()
            if not child:
                os._exit(run(*json.loads(line)))
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        else:
            code = run(*json.loads(line))
        print(code, file=answers, flush=True)
        if not hasattr(os, "fork"):
            return  # another process runs the next graph


if __name__ == "__main__":
    main()

"""An endpoint with faults that speaks gRPC, on a real socket."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
from tests.runtime.remote.conftest import INSPECTED, FaultyEndpoint

from upconv.runtime.remote.proto_messages import SERVICE, message_class

CODES = {
    401: grpc.StatusCode.UNAUTHENTICATED,
    404: grpc.StatusCode.NOT_FOUND,
    500: grpc.StatusCode.INTERNAL,
    502: grpc.StatusCode.ABORTED,
    503: grpc.StatusCode.UNAVAILABLE,
}


class FaultyGrpcEndpoint(FaultyEndpoint):
    """The endpoint of the other tests over gRPC. The parameters of its metadata are in its configuration."""

    port = 0

    @property
    def url(self) -> str:
        return f"grpc://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.server.stop(0).wait()

    def start_again(self) -> None:
        self.server = self._started(self.port)

    def _started(self, port: int) -> Any:
        methods = {
            "ServerLive": self._live,
            "ModelMetadata": self._metadata,
            "ModelConfig": self._config,
            "ModelInfer": self._infer,
        }
        handlers = {name: grpc.unary_unary_rpc_method_handler(method) for name, method in methods.items()}
        options = [("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)]
        server = grpc.server(ThreadPoolExecutor(16), options=options)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        self.port = server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        return server

    def _wait(self, context: Any) -> None:
        while self.silent.is_set() and context.is_active():
            time.sleep(0.01)

    def _live(self, _: bytes, context: Any) -> bytes:
        self._wait(context)
        return bytes(message_class("ServerLiveResponse")(live=True).SerializeToString())

    def _metadata(self, _: bytes, context: Any) -> bytes:
        self._wait(context)
        if self.metadata is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such model")
        kept = {name: self.metadata[name] for name in ("name", "inputs", "outputs")}
        return bytes(message_class("ModelMetadataResponse")(**kept).SerializeToString())

    def _config(self, _: bytes, context: Any) -> bytes:
        self._wait(context)
        found, config = self.config or {}, message_class("ModelConfig")()
        config.max_batch_size = found.get("max_batch_size", 0)
        for group in found.get("instance_group", ()):
            config.instance_group.add(count=group["count"])
        for name, value in self.metadata["parameters"].items():
            config.parameters[name].string_value = value
        return bytes(message_class("ModelConfigResponse")(config=config).SerializeToString())

    def _infer(self, data: bytes, context: Any) -> bytes:
        request = message_class("ModelInferRequest").FromString(data)
        (given,), shape = request.inputs, tuple(request.inputs[0].shape)
        if shape == INSPECTED:
            self.inspected += 1
        else:
            self.tiles.append(shape)
            self.heads.append({"inputs": [{"datatype": given.datatype}], "parameters": dict(request.parameters)})
        self._wait(context)
        time.sleep(self.delay_s)
        self.gone += not context.is_active()
        status, headers = self.status() if shape != INSPECTED else (200, {})
        if status != 200:
            context.set_trailing_metadata(tuple((name.lower(), value) for name, value in headers.items()))
            context.abort(CODES[status], "no such luck")
        if self.raw is not None and shape != INSPECTED:
            return self.raw
        dtype = {"FP32": "<f4", "FP16": "<f2", "UINT8": "u1"}[given.datatype]
        tensor = np.frombuffer(request.raw_input_contents[0], dtype).reshape(shape)
        output = self.change(tensor.repeat(2, axis=2).repeat(2, axis=3))
        response = message_class("ModelInferResponse")(model_name="nearest-x2-test")
        made = response.outputs.add(name=request.outputs[0].name, datatype=given.datatype, shape=output.shape)
        if self.as_json:
            values = made.contents.fp32_contents if given.datatype == "FP32" else made.contents.uint_contents
            values.extend(output.ravel().tolist())
        else:
            sound = output.tobytes()
            faulty = sound[: len(sound) - self.cut] + self.more
            response.raw_output_contents.append(sound if shape == INSPECTED else faulty)
        return bytes(response.SerializeToString())

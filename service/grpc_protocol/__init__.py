"""The Open Inference Protocol v2 over gRPC. The clients of Triton and KServe work unchanged.

https://github.com/kserve/open-inference-protocol, with Triton's extensions for configuration, statistics, streams and the
repository. The calls are admitted, computed and limited as those over HTTP are.
"""

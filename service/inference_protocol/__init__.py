"""The Open Inference Protocol v2 over REST. The clients of Triton and KServe work unchanged.

https://github.com/kserve/open-inference-protocol, with Triton's extensions for binary tensors, configuration, statistics
and the repository's index.
"""

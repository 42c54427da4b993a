# The service only: no torch, no compiler, no root user.
#   docker build -t upconv . && docker run --rm -p 8000:8000 --read-only --tmpfs /tmp -v upconv:/var/lib/upconv upconv
# On an NVIDIA GPU (the container runtime provides the driver, and NVIDIA's wheels the rest of CUDA 13 and cuDNN 9):
#   docker build -t upconv:cuda --build-arg PROVIDER=cuda . && docker run --gpus all … -e UPCONV_PROVIDER=cuda upconv:cuda
ARG PYTHON=3.11
# Another image with Python, venv and `python` on the path, such as that of a mirror: --build-arg BASE=registry.example.com/python:3.11-slim
ARG BASE=python:${PYTHON}-slim

# `cuda` instead of `cpu` installs onnxruntime-gpu with the libraries that it needs.
ARG PROVIDER=cpu
# `,ray` adds the packages of `upconv cluster`.
ARG EXTRAS=

FROM ${BASE} AS build
ARG PROVIDER
ARG EXTRAS
WORKDIR /src
COPY pyproject.toml setup.py constraints.txt README.md LICENSE ./
COPY src/ src/
COPY export/ export/
COPY cluster/ cluster/
COPY runtime/ runtime/
COPY service/ service/
COPY models/ models/
RUN python -m venv /opt/upconv \
    && case $PROVIDER in cuda) libraries='onnxruntime-gpu[cuda,cudnn]' ;; *) libraries= ;; esac \
    && /opt/upconv/bin/pip install --no-cache-dir --constraint constraints.txt \
        ".[${PROVIDER},heic,serve,grpc,postgres,s3${EXTRAS}]" $libraries

FROM ${BASE}
ARG PROVIDER
ARG EXTRAS
RUN useradd --uid 10001 --no-create-home upconv \
    && install --directory --owner 10001 --mode 700 /var/lib/upconv /var/lib/upconv/jobs
COPY --from=build /opt/upconv /opt/upconv
# NVIDIA's wheels, if there are any: onnxruntime asks the loader for their libraries.
RUN find /opt/upconv/lib -type d -path '*/nvidia/*/lib' > /etc/ld.so.conf.d/upconv.conf && ldconfig
# KubeRay starts `ray` in a login shell, which resets PATH.
RUN if [ -x /opt/upconv/bin/ray ]; then ln -s /opt/upconv/bin/ray /usr/local/bin/ray; fi
# Jobs and the record of tried models survive the container if a volume is mounted at /var/lib/upconv. Large pictures are in /tmp during processing.
ENV PATH=/opt/upconv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    UPCONV_HOST=0.0.0.0 \
    UPCONV_PORT=8000 \
    UPCONV_JOBS_DIR=/var/lib/upconv/jobs \
    XDG_CACHE_HOME=/var/lib/upconv/cache \
    IMAGE_OF_UPCONV=${PROVIDER}${EXTRAS}
USER 10001
VOLUME /var/lib/upconv
# 8001 is for gRPC, if UPCONV_GRPC_PORT=8001 is set.
EXPOSE 8000 8001
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['UPCONV_PORT']}/readyz\", timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["upconv"]
CMD ["serve"]

# The service alone: no torch, no compiler, no root.
#   docker build -t upconv . && docker run --rm -p 8000:8000 upconv
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
# `cuda` instead of `cpu` installs onnxruntime-gpu; the machine's driver comes with the container runtime.
ARG PROVIDER=cpu
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src/ src/
COPY export/ export/
COPY runtime/ runtime/
COPY service/ service/
COPY models/ models/
RUN python -m venv /opt/upconv \
    && /opt/upconv/bin/pip install --no-cache-dir --constraint constraints.txt ".[${PROVIDER},serve]"

FROM python:${PYTHON}-slim
RUN useradd --system --uid 10001 --no-create-home upconv
COPY --from=build /opt/upconv /opt/upconv
ENV PATH=/opt/upconv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    UPCONV_HOST=0.0.0.0 \
    UPCONV_PORT=8000
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['UPCONV_PORT']}/readyz\", timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["upconv"]
CMD ["serve"]

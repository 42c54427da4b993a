# verify.sh
set -eu
upconv export networks.py:unet --weights unet.pth -o unet.onnx --json > unet.json
upconv export networks.py:generator --shape 1x64x1x1 -o generator.onnx --json > generator.json
upconv parity networks.py:unet unet.onnx --weights unet.pth --backend onnxruntime --quiet --junit unet.xml --html unet.html
upconv parity networks.py:generator generator.onnx --shape 1x64x1x1 --backend onnxruntime --quiet --junit generator.xml

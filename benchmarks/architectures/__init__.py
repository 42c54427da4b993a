"""Decoders, image-to-image and segmentation networks of other packages, tried in the export."""

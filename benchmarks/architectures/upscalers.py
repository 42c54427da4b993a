"""The architectures of spandrel."""

from __future__ import annotations

from typing import Any

from benchmarks.architectures.architecture import Architecture, made


def _architecture(
    name: str, where: str, shape: tuple[int, ...] = (1, 3, 32, 32), step: int = 8, **arguments: Any
) -> Architecture:
    folder, _, kind = where.partition(":")

    def build() -> Any:
        from upconv.export.sources.architectures import registry

        registry()
        return made(f"spandrel.architectures.{name.partition(',')[0]}.__arch.{folder}:{kind}", **arguments)

    return Architecture(name, "spandrel", build, (shape,), None, step)


SWIN: dict[str, Any] = {"img_size": 32, "embed_dim": 16, "depths": [2], "num_heads": [2], "upscale": 2}

ARCHITECTURES = (
    _architecture(
        "ATD",
        "atd_arch:ATD",
        **SWIN,
        window_size=8,
        category_size=64,
        num_tokens=16,
        reducted_dim=4,
        upsampler="pixelshuffledirect",
    ),
    _architecture(
        "CRAFT",
        "CRAFT:CRAFT",
        embed_dim=24,
        depths=[1],
        num_heads=[2],
        window_size=8,
        split_size_0=4,
        split_size_1=8,
        upscale=2,
    ),
    _architecture("Compact", "SRVGG:SRVGGNetCompact", num_feat=16, num_conv=4, upscale=2),
    _architecture("DAT", "DAT:DAT", img_size=32, embed_dim=24, split_size=[4, 8], depth=[2], num_heads=[2], upscale=2),
    _architecture("DCTLSA", "dctlsa:DCTLSA", nf=24, num_modules=6, upscale=2, num_head=4),
    _architecture("DITN", "DITN_Real:DITN_Real", dim=12, ITL_blocks=1, SAL_blocks=1, UFONE_blocks=1, upscale=2),
    _architecture("DRCT", "drct_arch:DRCT", **SWIN, window_size=8, gc=8, upsampler="pixelshuffle"),
    _architecture("DRUNet", "network_unet:DRUNet", in_nc=3, out_nc=3, nc=[8, 16, 16, 24], nb=1),
    _architecture("DnCNN", "network_dncnn:DnCNN", in_nc=3, out_nc=3, nc=16, nb=5),
    _architecture("ESRGAN", "RRDB:RRDBNet", num_filters=16, num_blocks=2, scale=2),
    _architecture("FBCNN", "FBCNN:FBCNN", nc=[8, 16, 16, 512], nb=1),
    _architecture("FDAT", "fdat:FDAT", scale=2, embed_dim=16, num_groups=1, depth_per_group=2, num_heads=2, window_size=8),
    _architecture("FFTformer", "fftformer_arch:FFTformer", dim=16, num_blocks=[1, 1, 1], num_refinement_blocks=1, step=32),
    _architecture(
        "GFPGAN",
        "gfpganv1_clean_arch:GFPGANv1Clean",
        (1, 3, 64, 64),
        out_size=64,
        num_style_feat=32,
        narrow=0.125,
        channel_multiplier=1,
    ),
    _architecture(
        "HAT", "HAT:HAT", **SWIN, compress_ratio=3, squeeze_factor=4, window_size=8, overlap_ratio=0.5, upsampler="pixelshuffle"
    ),
    _architecture("HVICIDNet", "cidnet:CIDNet", channels=[12, 12, 24, 48], heads=[1, 2, 4, 8]),
    _architecture(
        "IPT",
        "ipt:IPT",
        (1, 3, 48, 48),
        n_feats=8,
        patch_size=48,
        patch_dim=3,
        num_heads=2,
        num_layers=1,
        num_queries=1,
        scale=[2],
    ),
    _architecture("KBNet", "kbnet_s:KBNet_s", width=8, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1]),
    _architecture(
        "KBNet, large", "kbnet_l:KBNet_l", dim=48, num_blocks=[1, 1, 1, 1], num_refinement_blocks=1, heads=[1, 2, 4, 8]
    ),
    _architecture(
        "MixDehazeNet", "MixDehazeNet:MixDehazeNet", (1, 3, 64, 64), embed_dims=[8, 16, 32, 16, 8], depths=[1, 1, 1, 1, 1]
    ),
    _architecture("MoESR", "MoESR:MoESR", dim=16, n_blocks=1, n_block=1),
    _architecture("MoSR", "mosr_arch:MoSR", dim=16, n_block=2, upscale=2),
    _architecture("NAFNet", "NAFNet_arch:NAFNet", width=8, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1]),
    _architecture("OmniSR", "OmniSR:OmniSR", num_feat=16, block_num=1, res_num=1, up_scale=2, window_size=8),
    _architecture("PLKSR", "PLKSR:PLKSR", dim=16, n_blocks=2, upscaling_factor=2),
    _architecture("PLKSR, real", "RealPLKSR:RealPLKSR", dim=16, n_blocks=2, upscaling_factor=2),
    _architecture("PLKSR, real with DySample", "RealPLKSR:RealPLKSR", dim=16, n_blocks=2, upscaling_factor=2, dysample=True),
    _architecture("RCAN", "rcan_arch:RCAN", scale=2, n_resgroups=1, n_resblocks=2, n_feats=16, reduction=4),
    _architecture("RGT", "rgt:RGT", img_size=32, embed_dim=24, depth=[2], num_heads=[2], split_size=[8, 8], upscale=2),
    _architecture("RealCUGAN", "upcunet_v3:UpCunet2x"),
    _architecture("RealCUGAN, 3x", "upcunet_v3:UpCunet3x"),
    _architecture("RealCUGAN, fast", "upcunet_v3:UpCunet2x_fast", (1, 3, 64, 64)),
    _architecture("RetinexFormer", "retinexformer_arch:RetinexFormer", n_feat=12, stage=1, num_blocks=[1, 1, 1]),
    _architecture("SAFMN", "safmn:SAFMN", dim=16, n_blocks=2, upscaling_factor=2),
    _architecture("SAFMNBCIE", "safmn_bcie:SAFMN_BCIE", dim=16, n_blocks=1, num_layers=2, upscaling_factor=2),
    _architecture("SCUNet", "SCUNet:SCUNet", (1, 3, 64, 64), 64, config=[1, 1, 1, 1, 1, 1, 1], dim=64),
    _architecture("SPAN", "span:SPAN", num_in_ch=3, num_out_ch=3, feature_channels=16, upscale=2),
    _architecture("SeemoRe", "seemore_arch:SeemoRe", scale=2, num_experts=3, num_layers=2, embedding_dim=16),
    _architecture("SwiftSRGAN", "SwiftSRGAN:Generator", num_channels=16, num_blocks=2, upscale_factor=2),
    _architecture("Swin2SR", "Swin2SR:Swin2SR", **SWIN, window_size=8, upsampler="pixelshuffledirect"),
    _architecture("SwinIR", "SwinIR:SwinIR", **SWIN, window_size=8, upsampler="pixelshuffledirect"),
    _architecture(
        "GRL",
        "grl:GRL",
        img_size=32,
        embed_dim=16,
        upscale=2,
        depths=[2],
        num_heads_window=[2],
        num_heads_stripe=[2],
        window_size=8,
        stripe_size=[8, 8],
        anchor_window_down_factor=2,
    ),
    _architecture(
        "Uformer",
        "Uformer:Uformer",
        (1, 3, 128, 128),
        128,
        img_size=128,
        embed_dim=8,
        depths=[1] * 9,
        num_heads=[1] * 9,
        win_size=8,
    ),
)

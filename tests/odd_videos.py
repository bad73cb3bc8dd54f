"""Files as people have them: many containers, codecs, timings and rotations, and what ffmpeg shows of each."""

import re
import subprocess

import imageio_ffmpeg
import numpy as np

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
SOURCE = "-f lavfi -i testsrc2=s={size}:r={rate} -t {seconds}"
X264, COPY = "-c:v libx264 -bf 2 -g {gop}", "-c copy"


def _encode(options, size="128x64", rate=25, seconds=1.2):
    return [f"{SOURCE.format(size=size, rate=rate, seconds=seconds)} {options} {{out}}"]


def _from_film(options, gop=10, before=""):
    """Of a film in H.264, by another command."""
    film = _encode(X264.format(gop=gop))[0].replace("{out}", "{film}")
    return [film, f"{before} -i {{film}} {options} {{out}}"]


# By name of the file, commands of ffmpeg that make it.
ODD = {
    "b-frames.mp4": _encode(X264.format(gop=10)),
    "open-gop.mp4": _encode("-c:v libx264 -bf 3 -g 8 -flags -cgop"),
    "intra-refresh.mp4": _encode("-c:v libx264 -x264-params intra-refresh=1:keyint=10"),
    "one-frame.mp4": _encode("-c:v libx264", seconds=0.03),
    "hevc.mp4": _encode("-c:v libx265 -x265-params log-level=none"),
    "hevc10.mp4": _encode("-c:v libx265 -pix_fmt yuv420p10le -x265-params log-level=none"),
    "av1.mp4": _encode("-c:v libaom-av1 -cpu-used 8"),
    "av1-10.mp4": _encode("-c:v libaom-av1 -cpu-used 8 -pix_fmt yuv420p10le"),
    "av1.webm": _encode("-c:v libaom-av1 -cpu-used 8"),
    "av1.mkv": _encode("-c:v libaom-av1 -cpu-used 8"),
    "mpeg4.mp4": _encode("-c:v mpeg4"),
    "grey.mp4": _encode("-c:v libx264 -pix_fmt gray"),
    "full-chroma.mp4": _encode("-c:v libx264 -pix_fmt yuv444p"),
    "fragmented.mp4": _encode("-c:v libx264 -movflags frag_keyframe+empty_moov"),
    "odd-width.mp4": _encode("-c:v libx264 -pix_fmt yuv444p", size="171x99"),
    **{f"{width}-wide.mp4": _encode("-c:v libx264", size=f"{width}x64") for width in (16, 24, 48, 72)},
    "quicktime.mov": _from_film(COPY),
    "matroska.mkv": _from_film(COPY),
    "stream.ts": _from_film(COPY),
    "flash.flv": _from_film(COPY),
    "raw.h264": _from_film(COPY),
    "h264.avi": _from_film(COPY),
    "mpeg4.avi": _encode("-c:v mpeg4"),
    "packed-b.avi": _encode("-c:v mpeg4 -bf 2"),
    "mjpeg.avi": _encode("-c:v mjpeg"),
    "mjpeg.mov": _encode("-c:v mjpeg"),
    "mpeg2.mpg": _encode("-c:v mpeg2video -bf 2"),
    "prores.mov": _encode("-c:v prores_ks"),
    "vp8.webm": _encode("-c:v libvpx"),
    "vp9.webm": _encode("-c:v libvpx-vp9 -deadline realtime -cpu-used 8"),
    "vp9-alpha.webm": _encode("-c:v libvpx-vp9 -pix_fmt yuva420p -deadline realtime -cpu-used 8"),
    "anim.gif": _encode("", rate=10),
    "cut.mp4": _from_film(f"-t 0.4 {COPY}", before="-ss 0.7"),
    "cut-first.mp4": _from_film(COPY, gop=250, before="-ss 0.5"),
    "cut.mov": _from_film(f"-t 0.4 {COPY}", before="-ss 0.7"),
    "negative.mkv": _from_film(f"{COPY} -avoid_negative_ts disabled -output_ts_offset -0.3"),
    "live.webm": _encode("-c:v libvpx -live 1"),
    "mpeg1.mpg": _encode("-c:v mpeg1video"),
    "cut.mkv": _from_film(f"-t 0.4 {COPY}", before="-ss 0.7"),
    "late.mp4": _from_film(COPY, before="-itsoffset 2"),
    "variable-rate.mp4": _encode("-vf select='not(mod(n\\,3))+lt(n\\,9)' -fps_mode vfr -c:v libx264"),
    "variable-rate.mkv": _encode("-vf select='not(mod(n\\,3))+lt(n\\,9)' -fps_mode vfr -c:v libx264"),
    **{f"turned{angle}.mp4": _from_film(COPY, before=f"-display_rotation {angle}") for angle in (90, 180, 270)},
    "turned90.mkv": _from_film(COPY, before="-display_rotation 90"),
    "turned45.mp4": _from_film(COPY, before="-display_rotation 45"),
    "mirrored.mp4": _from_film(COPY, before="-display_hflip"),
    "upside-down.mp4": _from_film(COPY, before="-display_vflip"),
    "turned-mirrored.mp4": _from_film(COPY, before="-display_rotation 90 -display_hflip"),
    "two-videos.mkv": _from_film(f"-f lavfi -i color=red:s=64x64:r=25 -t 1.2 -map 1:v -map 0:v {X264.format(gop=10)}"),
    "turned-cut.mp4": _from_film(f"-t 0.4 {COPY}", before="-ss 0.7 -display_rotation 90"),
    "text.mp4": [],
}


def make(folder, name):
    """Write one of `ODD` into a folder, and return its path."""
    film = folder / f"film-of-{name}.mp4"
    for command in ODD[name]:
        words = [word.format(out=folder / name, film=film) for word in command.split()]
        subprocess.run([FFMPEG, "-v", "error", "-y", *words], check=True)
    if not ODD[name]:
        (folder / name).write_text("No video here.")
    film.unlink(missing_ok=True)
    return folder / name


def shown(path):
    """Frames (T, H, W, 3) that ffmpeg shows of a file, every one once; None if it shows none."""
    if not ODD[path.name]:
        return None
    command = [FFMPEG, "-v", "error", "-i", str(path), "-an", "-fps_mode", "passthrough"]
    said = subprocess.run([*command, "-f", "framecrc", "-"], capture_output=True, text=True, check=True).stdout
    width, height = map(int, re.search(r"#dimensions 0: (\d+)x(\d+)", said).groups())
    raw = subprocess.run([*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)

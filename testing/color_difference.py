"""CIEDE2000: how different two colours look. 1 is about the least that people see."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from testing.factories.color_profiles import SRGB, Pixels, xyz_to_lab


def mean_difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """The mean CIEDE2000 of two sRGB pictures of the same size, 8 bits a sample."""
    return float(differences(_lab(one), _lab(other)).mean())


def _lab(pixels: NDArray[np.uint8]) -> Pixels:
    return xyz_to_lab(SRGB.linear(pixels / 255) @ SRGB.to_xyz().T)


def differences(one: Pixels, other: Pixels) -> Pixels:
    """CIEDE2000 of Lab colours on the last axis (Sharma, Wu and Dalal, 2005)."""
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(one, -1, 0), np.moveaxis(other, -1, 0)
    chroma7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * np.sqrt(chroma7 / (chroma7 + 25.0**7))
    c1, c2 = np.hypot(a1 * stretch, b1), np.hypot(a2 * stretch, b2)
    h1 = np.degrees(np.arctan2(b1, a1 * stretch)) % 360
    h2 = np.degrees(np.arctan2(b2, a2 * stretch)) % 360
    is_grey = c1 * c2 == 0
    turn = (h2 - h1 + 180) % 360 - 180
    turn = np.where((turn == -180) & (h2 > h1), 180, turn)
    hue = np.where(is_grey, h1 + h2, h1 + np.where(is_grey, 0, turn) / 2)
    turn = np.where(is_grey, 0, turn)
    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    d_hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    weight = (
        1
        - 0.17 * _cos(hue - 30)
        + 0.24 * _cos(2 * hue)
        + 0.32 * _cos(3 * hue + 6)
        - 0.20 * _cos(4 * hue - 63)
    )
    for_light = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    by_light = (l2 - l1) / for_light
    by_chroma = (c2 - c1) / (1 + 0.045 * chroma)
    by_hue = d_hue / (1 + 0.015 * chroma * weight)
    spread = 30 * np.exp(-((((hue % 360) - 275) / 25) ** 2))
    rotation = -np.sin(np.radians(2 * spread)) * 2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    squares = by_light**2 + by_chroma**2 + by_hue**2 + rotation * by_chroma * by_hue
    return np.asarray(np.sqrt(np.maximum(squares, 0)))


def _cos(degrees: Pixels) -> Pixels:
    return np.asarray(np.cos(np.radians(degrees)))

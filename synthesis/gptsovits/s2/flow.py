"""The flow, backwards: the text-side latent to the latent of speech (coupling layers of VITS, arXiv:2106.06103)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from synthesis.gptsovits.s2.config import FLOW_LAYERS, FLOWS, S2Config
from synthesis.gptsovits.s2.layers import Conv, Linear, Lines, Reader


@dataclass(frozen=True)
class Coupling:
    """Shifts one half of the channels by what a gated network makes of the other half.

    The network flips all channels between couplings. Here every second coupling has its weights flipped instead and
    works on the halves the other way round, so nothing moves at run time.
    """

    source: slice
    target: slice
    pre: Linear
    condition: Linear
    gated: tuple[Conv, ...]
    skip: tuple[Linear, ...]
    post: Linear

    @classmethod
    def read(cls, reader: Reader, prefix: str, half: int, flipped: bool) -> Coupling:
        """``half`` channels each; ``flipped``: an odd number of flips lies between this coupling and the audio."""
        low, high = slice(0, half), slice(half, 2 * half)
        pre, post = reader.kernel(f"{prefix}.pre").squeeze(-1), reader.kernel(f"{prefix}.post").squeeze(-1)
        shift = reader.raw(f"{prefix}.post.bias")
        if flipped:
            pre, post, shift = pre.flip(1), post.flip(0), shift.flip(0)
        return cls(
            source=high if flipped else low,
            target=low if flipped else high,
            pre=Linear(reader.place(pre), reader.tensor(f"{prefix}.pre.bias")),
            condition=reader.linear(f"{prefix}.enc.cond_layer"),
            gated=tuple(reader.conv(f"{prefix}.enc.in_layers.{i}") for i in range(FLOW_LAYERS)),
            skip=tuple(reader.linear(f"{prefix}.enc.res_skip_layers.{i}") for i in range(FLOW_LAYERS)),
            post=Linear(reader.place(post), reader.place(shift)),
        )

    def undo(self, z: Tensor, ge: Tensor, lines: Lines) -> None:
        """Invert the coupling on z [B, T, inter] in place; ``ge`` [B, gin]. The padding must be cleared again after."""
        x = lines.clear(self.pre(z[..., self.source]))  # [B, T, hidden]
        hidden = x.shape[-1]
        conditions = self.condition(ge).unsqueeze(1).chunk(FLOW_LAYERS, dim=-1)  # FLOW_LAYERS of [B, 1, 2 hidden]
        total = x.new_zeros(x.shape)
        for gated, skip, condition in zip(self.gated, self.skip, conditions, strict=True):
            tanh_in, gate_in = (gated(x) + condition).chunk(2, dim=-1)
            y = skip(tanh_in.tanh() * gate_in.sigmoid())  # [B, T, 2 hidden], the last [B, T, hidden]
            if y.shape[-1] > hidden:
                x = lines.clear(x + y[..., :hidden])
            total += y[..., -hidden:]
        z[..., self.target] -= self.post(total)


@dataclass(frozen=True)
class Flow:
    """The couplings in the order in which they are undone."""

    couplings: tuple[Coupling, ...]

    @classmethod
    def read(cls, reader: Reader, config: S2Config) -> Flow:
        """``flow.flows.0, 2, 4, 6``; undone from the last, whose input has been flipped once."""
        return cls(
            tuple(
                Coupling.read(reader, f"flow.flows.{2 * i}", config.inter // 2, flipped=(FLOWS - i) % 2 == 1)
                for i in reversed(range(FLOWS))
            )
        )

    def __call__(self, z: Tensor, ge: Tensor, lines: Lines) -> Tensor:
        """[B, T, inter], [B, gin] -> [B, T, inter], padding cleared."""
        z = z.clone()
        for coupling in self.couplings:
            coupling.undo(z, ge, lines)
            lines.clear(z)
        return z

"""How the line that is being typed is shown: as wide as every terminal takes it for."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput
from prompt_toolkit.layout.utils import explode_text_fragments

from chat.client.tui.cells import pieces

__all__ = ["OneByOne"]


class OneByOne(Processor):
    """Shows emoji that are made of several one by one, as `cells` does; the text stays as it was typed."""

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        """Of one line."""
        typed = explode_text_fragments(transformation_input.fragments)
        shown = pieces("".join(fragment[1] for fragment in typed))
        starts = [0, *accumulate(map(len, shown))]  # where each character is shown, and the end
        fragments: StyleAndTextTuples = [
            (fragment[0], piece) for fragment, piece in zip(typed, shown, strict=True) if piece
        ]
        return Transformation(
            fragments,
            source_to_display=lambda index: starts[min(index, len(shown))] + max(0, index - len(shown)),
            display_to_source=lambda index: min(bisect_right(starts, index) - 1, len(shown)),
        )

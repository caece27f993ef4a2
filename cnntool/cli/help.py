"""Help that reads in sections: options stand under the heading that they were given."""

from __future__ import annotations

import inspect

import click

from cnntool.cli.folding import folded


class Option(click.Option):
    """An option that knows its section of the help."""

    def __init__(self, *arguments, section: str = "Options", **attributes):
        super().__init__(*arguments, **attributes)
        self.section = section

    def get_help_extra(self, ctx: click.Context) -> dict:
        """As Click's, without the range: the metavar or the help says it in words."""
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        return extra


class FoldedEpilog(click.Command):
    """A command whose notes and examples fit the terminal, though Click is to leave their lines."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if not self.epilog:
            return
        text = inspect.cleandoc(self.epilog)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(folded(text, formatter.width - formatter.current_indent))


class SectionedCommand(FoldedEpilog):
    """A command whose options are listed section by section, in the order they were declared."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                section = getattr(parameter, "section", "Running")
                sections.setdefault(section, []).append(record)
        for section, records in sections.items():
            with formatter.section(section):
                formatter.write_dl(records, col_max=24)


def option(*names: str, section: str, **attributes):
    """A ``click.option`` that stands in a section of the help."""
    return click.option(*names, cls=Option, section=section, **attributes)

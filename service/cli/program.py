"""The root command: what goes wrong anywhere below it is said in one line, with an exit code."""

import os
from typing import Any, NoReturn

import rich_click as click

from service import __version__
from service.errors import HeadraceError, SettingsError
from service.redaction import know, masked
from service.settings import Settings, load


class Program(click.RichGroup):
    """The root command: what goes wrong is said in one line, on stderr, with an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            _stop(ctx, error, 2)
        except BrokenPipeError:
            raise
        except (HeadraceError, OSError) as error:
            _stop(ctx, error, 1)


def _stop(ctx: click.Context, error: Exception, code: int) -> NoReturn:
    click.echo(f"headrace: {masked(str(error))}", err=True)
    ctx.exit(code)


def settings_here() -> Settings:
    """The settings of this process's environment; raises SettingsError."""
    settings = load(os.environ)
    know(settings.secrets)
    return settings


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def headrace() -> None:
    """Events in through NATS JetStream, kept in a columnar engine, answered a second later.

    \b
    For example:
      headrace demo                     see it at work with recorded flights
      headrace up                       start the service, data in ./data
      headrace keys create --name web   make a key to send and ask with

    Environment variables configure it: `headrace settings` lists them all.
    """

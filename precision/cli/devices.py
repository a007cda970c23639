"""`precision devices`: what a driver can be pointed at."""

from __future__ import annotations

import click


@click.group()
def devices() -> None:
    """List ports and drivers."""


@devices.command()
def ports() -> None:
    """List serial ports and the VISA resources that this computer knows of.

    Nothing is opened and nothing is asked on the network: instruments on the LAN are named in the plan by their address.
    """
    from serial.tools.list_ports import comports

    from precision.report.visible_text import visible

    found = sorted(comports(), key=lambda port: port.device)
    click.echo("Serial ports" + ("" if found else ": none found"))
    for port in found:
        click.echo(f"  serial://{port.device:<22} {visible(port.description or '')}  {visible(port.manufacturer or '')}".rstrip())
    click.echo("VISA backends")
    for name, state in visa_backends().items():
        click.echo(f"  {name:<10} {state}")
    click.echo("Network instruments: tcp://HOST:PORT or visa://TCPIP::HOST::PORT::SOCKET (not searched for: a search would broadcast on the LAN)")


def visa_backends() -> dict[str, str]:
    """VISA backend -> whether it is usable, in words; nothing is opened."""
    from importlib.metadata import PackageNotFoundError, version
    from importlib.util import find_spec

    states = {}
    try:
        states["@py"] = f"pyvisa-py {version('pyvisa-py')}: TCPIP sockets, HiSLIP, VXI-11, serial"
    except PackageNotFoundError:
        states["@py"] = "missing; pip install pyvisa-py"
    for module, kind in (("usb", "USB instruments (PyUSB)"), ("gpib_ctypes", "GPIB (gpib-ctypes)")):
        states[kind.split()[0]] = f"{kind}: " + ("installed" if find_spec(module) else "not installed; only needed for such instruments")
    return states


@devices.command()
def drivers() -> None:
    """List the drivers by what they can be in a plan."""
    from precision import drivers as known

    for role, table in (("controller", known.CONTROLLERS), ("interferometer", known.INTERFEROMETERS), ("environment", known.ENVIRONMENTS), ("stream", known.STREAMS)):
        click.echo(f"{role}: {', '.join(sorted(table))}")

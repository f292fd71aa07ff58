#!/usr/bin/env python
"""Kendall's tau and Spearman's rho of two scores of the same paths, with a scatter plot.

FILE is a .csv with a header or a .jsonl, with one row per path. Two files are joined by --key;
then --x is a column of the first and --y of the second. The coefficients have 95% intervals, by
resampling the paths. --repeat is a second measurement of --y: how well it agrees with --y is the
most that any score can be expected to reach.
"""

import argparse
import csv
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from mmrel.search.ranking import rank_correlation
from mmrel.utils.command_line import run_command
from mmrel.utils.json_lines import read_rows
from mmrel.visualization import plot_rank_correlation


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('files', nargs='+', metavar='FILE', help='one or two .csv or .jsonl files')
    parser.add_argument('--x', default='supernet', help='column of one score (default: supernet)')
    parser.add_argument(
        '--y', default='retrained', help='column of the other score (default: retrained)'
    )
    parser.add_argument(
        '--repeat', help='column beside --y: the same, from other runs (default: none)'
    )
    parser.add_argument('--key', default='key', help='column that joins two files (default: key)')
    parser.add_argument('--out', help='PNG to write (default: next to the first file)')
    args = parser.parse_args(argv)
    if len(args.files) > 2:
        parser.error(f'{len(args.files)} files: give one or two')
    return args


def read_table(file: str) -> list[dict]:
    """The rows of a .csv or .jsonl file."""
    if not Path(file).is_file():
        raise FileNotFoundError(f'{file!r} does not exist')
    if Path(file).suffix == '.jsonl':
        return read_rows(file)
    if Path(file).suffix != '.csv':
        raise ValueError(f'{file!r} is neither .csv nor .jsonl')
    with open(file, newline='', encoding='utf-8') as lines:
        rows = list(csv.DictReader(lines))
    if not rows:
        raise ValueError(f'{file!r} has no rows below its header')
    return rows


def column(file: str, rows: list[dict], name: str) -> list[float]:
    """The numbers of a column."""
    values = []
    for number, row in enumerate(rows, 1):
        try:
            values.append(float(row[name]))
        except KeyError:
            raise KeyError(f'{file}, row {number} has no column {name!r}: {list(row)}') from None
        except (TypeError, ValueError):
            raise ValueError(
                f'{file}, row {number}: {name}={row[name]!r} is not a number'
            ) from None
    return values


def keyed(file: str, rows: list[dict], name: str, key: str) -> dict[str, float]:
    """The numbers of a column, by key."""
    lacking = [number for number, row in enumerate(rows, 1) if key not in row]
    if lacking:
        raise KeyError(
            f'{file}, row {lacking[0]} has no column {key!r}, which joins two files: set --key'
        )
    found = dict(zip([str(row[key]) for row in rows], column(file, rows, name), strict=True))
    if len(found) < len(rows):
        raise ValueError(f'{file} has duplicate values in column {key}, which must be unique')
    return found


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    tables = [read_table(file) for file in args.files]
    places = dict(x=0, y=-1) | (dict(repeat=-1) if args.repeat else {})
    values: dict[str, list[float]] = {}
    if len(tables) == 1:
        for name in places:
            values[name] = column(args.files[0], tables[0], getattr(args, name))
    else:
        found = {
            name: keyed(args.files[place], tables[place], getattr(args, name), args.key)
            for name, place in places.items()
        }
        both = [key for key in found['x'] if key in found['y']]
        values = {name: [own[key] for key in both] for name, own in found.items()}
    agreement = rank_correlation(values['x'], values['y'])
    out = args.out or str(Path(args.files[0]).with_suffix('.png'))
    title = f"Kendall's tau {agreement.tau}\nSpearman's rho {agreement.rho}"
    plot_rank_correlation(values['x'], values['y'], out, args.x, args.y, title)
    print(json.dumps(asdict(agreement)))
    print(agreement)
    if args.repeat:
        print(f'{args.repeat} against {args.y}: {rank_correlation(values["repeat"], values["y"])}')
    else:
        print(
            f'the noise of {args.y} is not known: repeat its runs with other seeds, and name the '
            'column with --repeat'
        )
    print(f'wrote {out}')


if __name__ == '__main__':
    run_command(main)

"""Simulate a square of magnetic spins at one temperature, and print what it comes to as one line of a table.

The model is Ising's in two dimensions: L x L spins that point up or down, neighbours like to agree, heat upsets them.
Units are those of the textbook: coupling and Boltzmann's constant are 1. Needs Python and nothing else.

    python3 ising.py --temperature 2.0 --seed 1
"""

from __future__ import annotations

import argparse
import math
import random


def sweep_rows(spins: list[int], size: int, flip_chance: list[float], draw: random.Random) -> None:
    """Offer every spin the chance to turn once (Metropolis' rule), one after the other.

    :param spins: +1 or -1 each, row after row; the square closes on itself like a torus.
    :param flip_chance: the chance to turn for each value of spin x sum of its neighbours, which runs from -4 to 4.
    """
    count = size * size
    chance = draw.random
    for here in range(count):
        column = here % size
        right = here + 1 if column < size - 1 else here + 1 - size
        around = spins[here - size] + spins[here + size - count] + spins[here - 1 if column else here + size - 1]
        if chance() < flip_chance[spins[here] * (around + spins[right])]:
            spins[here] = -spins[here]


def measure(spins: list[int], size: int) -> tuple[float, float]:
    """Tell energy and magnetisation, each for one spin."""
    count = size * size
    bonds = 0
    for here in range(count):
        right = here + 1 if here % size < size - 1 else here + 1 - size
        bonds += spins[here] * (spins[right] + spins[here + size - count])
    return -bonds / count, sum(spins) / count


def simulate(temperature: float, seed: int, size: int, sweeps: int) -> dict[str, float]:
    """Let the spins settle for a quarter of the sweeps, then average over the rest."""
    draw = random.Random(f"{temperature} {seed}")
    # a list that is read with indices -4 to 4: Python counts negative ones from its end
    flip_chance = [math.exp(-2 * (field - 9 if field > 4 else field) / temperature) for field in range(9)]  # noqa: PLR2004 - as above
    spins = [1] * (size * size)
    energies, magnets = [], []
    for number in range(sweeps):
        sweep_rows(spins, size, flip_chance, draw)
        if number >= sweeps // 4:
            energy, magnet = measure(spins, size)
            energies.append(energy)
            magnets.append(abs(magnet))
    mean_magnet = sum(magnets) / len(magnets)
    variance = sum(magnet * magnet for magnet in magnets) / len(magnets) - mean_magnet**2
    return {
        "temperature": temperature,
        "seed": seed,
        "energy": sum(energies) / len(energies),
        "magnetisation": mean_magnet,
        "susceptibility": variance * size * size / temperature,
    }


def main() -> None:
    """Read the command line, simulate, print."""
    parser = argparse.ArgumentParser(description="Simulate the Ising model in two dimensions at one temperature.")
    parser.add_argument("--temperature", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--size", type=int, default=24, help="spins along an edge (default: 24)")
    parser.add_argument("--sweeps", type=int, default=1600, help="times that every spin may turn (default: 1600)")
    options = parser.parse_args()
    found = simulate(options.temperature, options.seed, options.size, options.sweeps)
    print("\t".join(found))
    print("\t".join(f"{value:g}" for value in found.values()))


if __name__ == "__main__":
    main()

"""What one kernel costs, read off its SASS (`nvdisasm -c` on standard input); for optimized/kernels.txt.

    nvdisasm -c CUBIN | sass.py ARCH < SAID

Prints a line a kernel: name, architecture, registers, instructions, warps that a multiprocessor can hold, instructions an
element, and where those would bound it on an H200 in TB/s. Nothing here is measured.

The instructions an element are those of one way through the innermost loop that has the wide accesses of the fast path
(16 bytes; 8 for bf16): of all ways the one with most of the loads and of the stores that its traffic counts, and of these the
shortest. A wide load is four elements of one operand, and an instruction for two numbers (FFMA2) is one. A kernel without such
a loop gets a dash.
"""

import re
import sys

# What a kernel reads a number of for each element, and the bytes it moves for one: operands, outputs and the mask.
READS = {
    "aggregate": (1, 5), "clip_scores": (1, 9), "copy": (1, 9), "whiten": (1, 9), "whiten_keeping_mean": (1, 9),
    "gae_rows": (2, 17), "kl": (2, 13), "kl_slope": (2, 13), "kl_straight": (2, 13), "reward": (2, 13), "returns": (2, 13),
    "kl_loss": (3, 17), "value_loss": (3, 17), "policy_loss": (4, 17),
    "token_pass_f32": (1, 4), "token_pass_bf16": (1, 2), "token_pass_grad_f32": (1, 8), "token_pass_grad_bf16": (1, 4),
}
# Multiprocessors x lanes x hertz: the instructions that an H200 can begin in a second.
ISSUE = 132 * 128 * 1.755e9
# Of a multiprocessor: warps, and bytes of shared memory.
LIMITS = {"sm_80": (64, 164 << 10), "sm_90": (64, 228 << 10), "sm_100": (64, 228 << 10)}


def warps(arch, registers, threads, shared):
    """Warps that a multiprocessor can hold of blocks of so many threads; registers are given out by 256 a warp."""
    most, memory = LIMITS[arch]
    block = threads // 32
    by_registers = 65536 // (-(-registers * 32 // 256) * 256) // block
    by_memory = memory // (shared + 1024) if shared else most
    return block * min(most // block, by_registers, by_memory, 32)


def instructions(text):
    """The instructions in order, and where each label stands among them."""
    code, labels = [], {}
    for line in text.splitlines():
        if label := re.match(r"(\.L_x_\d+):", line):
            labels[label[1]] = len(code)
        elif found := re.match(r"\s+/\*[0-9a-f]{4,}\*/\s+(.*?)\s*;", line):
            code.append(found[1])
    return code, labels


def branch(code, labels, i):
    """Where instruction i may go to, and whether it may go on to the next; a call comes back."""
    text = code[i]
    op = re.sub(r"^@!?U?P\w+ ", "", text).split()[0]
    always = not text.startswith("@") and not re.search(r"BRA(\.\S+)? !?U?P\w+,", text)
    target = re.search(r"`\((\.L_x_\d+)\)", text)
    if op == "BRA.DIV":  # where lanes of a warp have parted, which they have not
        return [], True
    if op.startswith("BRA") and target:
        return [labels[target[1]]], not always
    return [], not (always and op.split(".")[0] in ("EXIT", "RET", "BRA", "BRX"))


def best_way(code, labels, wide, stores, first, last):
    """Of the ways from first to last, going forward only: the most wide loads, with so many stores each, on the shortest."""
    best = {first: (0, 0, 0)}
    for i in range(first, last + 1):
        if i not in best:
            continue
        loads, stored, length = best[i]
        loads += bool(re.search("LDG" + wide, code[i]))
        here = (loads, min(stored + bool(re.search("STG" + wide, code[i])), loads * stores), length - 1)
        targets, goes_on = branch(code, labels, i)
        if i == last:
            return here[0], -here[2]
        for to in [t for t in targets if first < t <= last] + ([i + 1] if goes_on else []):
            if to > i:
                best[to] = max(best.get(to, here), here)
    return 0, 0


def an_element(name, code, labels):
    """Instructions an element, if the kernel has a loop over elements."""
    operands, traffic = READS.get(name, (0, 0))
    if not operands:
        return None
    size = 2 if "bf16" in name else 4
    wide, stores = rf"\.\S*{32 * size}\b", traffic // size / operands - 1
    loops = []
    for i in range(len(code)):
        for to in branch(code, labels, i)[0]:
            if to <= i:
                loads, length = best_way(code, labels, wide, stores, to, i)
                if loads:
                    loops.append((i - to, loads, length))
    if not loops:
        return None
    # The innermost loop that holds the most of them at once: an unrolled body, and not its remainder.
    _, loads, length = max(loops, key=lambda loop: (loop[1], -loop[0]))
    return length * operands / (4 * loads)


def main():
    arch = sys.argv[1]
    said = open(sys.argv[2]).read()
    for section in re.split(r"\n(?=\.text\.\w+:)", sys.stdin.read())[1:]:
        name = re.match(r"\.text\.(\w+):", section)[1]
        about = re.search(rf"'{name}'.*?Used (\d+) registers(.*?)\n", said, re.S)
        shared = re.search(r"(\d+) bytes smem", about[2])
        code, labels = instructions(section)
        threads = int(sys.argv[3].split(f"{name}=")[1].split()[0])
        held = warps(arch, int(about[1]), threads, int(shared[1]) if shared else 0)
        each = an_element(name, code, labels)
        bound = "-"
        if each and arch == "sm_90":
            bound = f"{ISSUE / each * READS[name][1] * 1e-12:.1f}"
        print(name, arch, about[1], len(code), held, f"{each:.1f}" if each else "-", bound)


main()

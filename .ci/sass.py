"""What one kernel costs, read off its SASS (`nvdisasm -c` on standard input); for optimized/kernels.txt.

    nvdisasm -c CUBIN | sass.py ARCH < SAID

Prints a line a kernel: name, architecture, registers, instructions, warps that a multiprocessor can hold, instructions an
element, and where those would bound it on an H200 in TB/s. Nothing here is measured.

The instructions an element are those of one way through the innermost loop that has the wide accesses of the fast path
(16 bytes; 8 for bf16): of all ways the one with most of the loads and of the stores that its traffic counts, and of these the
shortest. A wide load is four elements of one operand, and an instruction for two numbers (FFMA2) is one. Where a kernel reads
nothing but the mask its wide stores count instead; where its threads have their elements once, without a loop, the way goes
through all of it. Where a kernel branches on each token, it is the way of valid ones. A kernel that has no elements gets a dash:
what goes over rows, tiles or groups, such as gae_chain, whose time is that of one thread's chain.
"""

import re
import sys

# What a kernel reads a number of for each element, and the bytes it moves for one: operands, outputs and the mask.
READS = {
    "aggregate": (1, 5), "clip_scores": (1, 9), "copy": (1, 9), "whiten": (1, 9), "whiten_keeping_mean": (1, 9),
    "aggregate_grad": (0, 5), "place_scores": (0, 4), "broadcast_scores": (1, 8),
    "gae_rows": (2, 17), "gae_groups": (2, 10), "gae_tiles": (2, 17.5),
    "kl": (2, 13), "kl_slope": (2, 13), "kl_straight": (2, 13), "reward": (2, 13), "returns": (2, 13),
    "kl_loss": (3, 17), "value_loss": (3, 17), "policy_loss": (4, 17),
    "token_pass_shard_f32": (1, 4), "token_pass_shard_bf16": (1, 2),
    "token_pass_f32": (1, 4), "token_pass_bf16": (1, 2), "token_pass_grad_f32": (1, 8), "token_pass_grad_bf16": (1, 4),
}
# What only the way of a valid token has, where masked ones go another: of GAE the subtraction of V.
VALID = {"gae_rows": "FADD", "gae_groups": "FADD", "gae_tiles": "FADD"}
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


def best_way(code, labels, load, store, stores, valid, first, last):
    """Of the ways from first to last, going forward only: the most wide loads, with so many stores each, and the most that only
    valid tokens have, on the shortest."""
    best = {first: (0, 0, 0, 0)}
    for i in range(first, last + 1):
        if i not in best:
            continue
        loads, stored, met, length = best[i]
        loads += bool(re.search(load, code[i]))
        stored = min(stored + bool(re.search(store, code[i])), loads * stores)
        here = (loads, stored, met + bool(valid and re.search(valid, code[i])), length - 1)
        targets, goes_on = branch(code, labels, i)
        if i == last:
            return here
        for to in [t for t in targets if first < t <= last] + ([i + 1] if goes_on else []):
            if to > i:
                best[to] = max(best.get(to, here), here)
    return 0, 0, 0, 0


def an_element(name, code, labels):
    """Instructions an element, if the kernel has elements."""
    if name not in READS:
        return None
    operands, traffic = READS[name]
    size = 2 if "bf16" in name else 4
    load, store = rf"LDG\.\S*{32 * size}\b", rf"STG\.\S*{32 * size}\b"
    # What is counted, of how many arrays, and how many stores come with each.
    count, arrays, stores = (load, operands, traffic // size / operands - 1) if operands else (store, 1, 0)

    def ways(spans):
        """The best way from each first to its last, and where these are, if there is what is counted."""
        of = lambda first, last: best_way(code, labels, count, store, stores, VALID.get(name), first, last)
        return [(way, first, last) for first, last in spans if (way := of(first, last))[0]]

    loops = ways((to, i) for i in range(len(code)) for to in branch(code, labels, i)[0] if to <= i)
    if loops:
        # The innermost loop that holds the most of them at once: an unrolled body, and not its remainder.
        (loads, _, _, length), _, _ = max(loops, key=lambda loop: (loop[0][0], loop[1] - loop[2]))
    elif once := ways((0, i) for i, text in enumerate(code) if re.match(r"(@!?U?P\w+ )?EXIT", text)):
        (loads, _, _, length), _, _ = max(once)
    else:
        return None
    return -length * arrays / (4 * loads)


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

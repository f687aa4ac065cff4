"""BPF without a compiler: the bpf(2) call, a small assembler, and the one program that fastlb loads."""

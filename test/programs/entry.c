/* Writes what it finds at its entry: 15 registers (all but rsp), 32 bytes of its text, its blocked signals. Built without start files. */
__asm__(
  ".globl _start\n_start:\n"
  "push %rax; push %rbx; push %rcx; push %rdx; push %rsi; push %rdi; push %rbp; push %r8; push %r9; push %r10; push %r11; push %r12; push %r13; push %r14; push %r15\n"
  "mov $1, %eax; mov $1, %edi; mov %rsp, %rsi; mov $120, %edx; syscall\n"
  "mov $1, %eax; mov $1, %edi; lea _start(%rip), %rsi; mov $32, %edx; syscall\n"
  "mov $14, %eax; xor %edi, %edi; xor %esi, %esi; mov %rsp, %rdx; mov $8, %r10d; syscall\n"
  "mov $1, %eax; mov $1, %edi; mov %rsp, %rsi; mov $8, %edx; syscall\n"
  "mov $231, %eax; xor %edi, %edi; syscall\n");

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the VMM begins (PVH, Xen's docs/misc/pvh.pandoc): 32-bit protected mode, flat segments, no
 * paging, no interrupts, %ebx = address of the start info. Nothing but a stack is missing.
 */
	.section .note.pvh, "a", @note
	.align 4
	.long 4			/* size of the name */
	.long 4			/* size of the descriptor */
	.long 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start

	.text
	.globl start
	.type start, @function
start:
	cld
	movl $stack_end, %esp
	xorl %eax, %eax
	movl $bss_start, %edi
	movl $bss_end, %ecx
	subl %edi, %ecx
	rep stosb
	pushl $0		/* keeps the stack aligned to 16 bytes at the call */
	pushl $0
	pushl $0
	pushl %ebx
	call main
1:	cli
	hlt
	jmp 1b
	.size start, . - start

	.section .stack, "aw", @nobits
	.align 16
	.skip 16384
stack_end:

	.section .note.GNU-stack, "", @progbits

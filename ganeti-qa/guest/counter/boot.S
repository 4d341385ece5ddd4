# The counter guest: a boot sector that writes for ever and watches its own writes.
#
# Each round takes the next number and writes it with its witnesses to two places
# of the first disk: the ring (sector FIRST + number mod RING), then the sector
# LATEST.  It then reads back what the round before had written to the ring.
# After a reboot it goes on from LATEST.  `counter-read` reads and judges the disk.
#
#   sector  +0   "ARCHICTR"        +16  writes that read back wrong
#           +8   number            +20  longest round, in 2^16 TSC cycles
#           +12  BIOS errors       +24  TSC at the round's start (64 bit)

        .code16
        .globl  _start

        .set    SECTOR,   0x7e00        # what the round writes
        .set    READBACK, 0x8000
        .set    NUMBER,   SECTOR + 8
        .set    ERRORS,   SECTOR + 12
        .set    WRONG,    SECTOR + 16
        .set    LONGEST,  SECTOR + 20
        .set    STARTED,  SECTOR + 24
        .set    LATEST,   1
        .set    FIRST,    8
        .set    RING,     8192
        .set    PAUSE,    10000         # microseconds between rounds
        .set    BIOS_READ,  0x4200
        .set    BIOS_WRITE, 0x4300

_start: ljmp    $0, $begin
begin:  xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $_start, %sp
        sti
        cld

        movw    $SECTOR, %di
        movw    $256, %cx
        rep     stosw

        movl    $LATEST, %ebx
        call    read
        movw    $magic, %si
        movw    $READBACK, %di
        movw    $4, %cx
        repe    cmpsw
        jne     fresh
        movw    $READBACK, %si          # go on where the last boot ended
        movw    $SECTOR, %di
        movw    $12, %cx
        rep     movsw
fresh:  movw    $magic, %si
        movw    $SECTOR, %di
        movw    $4, %cx
        rep     movsw
        rdtsc
        jmp     stamp

round:  rdtsc
        pushl   %eax
        pushl   %edx
        subl    STARTED, %eax
        sbbl    STARTED + 4, %edx
        shrdl   $16, %edx, %eax
        cmpl    LONGEST, %eax
        jbe     1f
        movl    %eax, LONGEST
1:      popl    %edx
        popl    %eax
stamp:  movl    %eax, STARTED
        movl    %edx, STARTED + 4

        incl    NUMBER
        movl    NUMBER, %ebx
        call    ring
        call    write
        movl    $LATEST, %ebx
        call    write

        movl    NUMBER, %ebx
        decl    %ebx
        jz      nap                     # the first round has none before it
        movl    %ebx, %ebp
        call    ring
        call    read
        cmpl    %ebp, READBACK + 8
        je      nap
        incl    WRONG

nap:    movb    $0x86, %ah
        xorw    %cx, %cx
        movw    $PAUSE, %dx
        int     $0x15
        jmp     round

# %ebx: a number -> its sector in the ring
ring:   andl    $RING - 1, %ebx
        addl    $FIRST, %ebx
        ret

# %ebx: the sector
read:   movw    $READBACK, packet + 4
        movw    $BIOS_READ, %ax
        jmp     transfer
write:  movw    $SECTOR, packet + 4
        movw    $BIOS_WRITE, %ax
transfer:
        movl    %ebx, packet + 8
        movw    $packet, %si
        movb    $0x80, %dl
        int     $0x13
        jnc     1f
        incl    ERRORS
1:      ret

        .balign 4
packet: .byte   16, 0
        .word   1                       # one sector
        .word   0, 0                    # offset, segment of the buffer
        .long   0, 0                    # sector number
magic:  .ascii  "ARCHICTR"

        .org    510
        .word   0xaa55

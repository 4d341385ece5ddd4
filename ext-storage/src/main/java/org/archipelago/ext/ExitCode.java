package org.archipelago.ext;

import java.util.Arrays;
import java.util.stream.Collectors;
import org.archipelago.posix.Errno;

/**
 * How a command ended: the same numbers for vlmc, archipelago and the provider's scripts. They are
 * stable. The C client in front of them adds those of sysexits.h where it fails by itself: 64 usage,
 * 69 broken installation, 70 protocol, 74 output lost, 75 no answer from the daemon, 77 no permission.
 */
public enum ExitCode {
    OK(0, "success"),
    FAILED(1, "failed, for a reason that none of the others names"),
    USAGE(2, "the command line, or a value in it, is wrong"),
    NOT_RUNNING(3, "archipelagod or a role is not running"),
    NOT_FOUND(4, "the volume, snapshot, device or file does not exist"),
    BUSY(5, "it is mapped, locked, or held by another node"),
    EXISTS(6, "the name is taken"),
    NO_SPACE(7, "no space is left"),
    DAMAGED(8, "input/output error, or what is stored is damaged"),
    CONFIGURATION(9, "the configuration cannot be used"),
    TIMED_OUT(10, "it took longer than its bound"),
    TRY_AGAIN(75, "for the moment it cannot be done; repeat the command");

    private final int number;
    private final String meaning;

    ExitCode(int number, String meaning) {
        this.number = number;
        this.meaning = meaning;
    }

    public int number() {
        return number;
    }

    /** In a few words, for the help. */
    public String meaning() {
        return meaning;
    }

    /** What a process of ours ended with; FAILED for a number that is none of these. */
    public static ExitCode of(int number) {
        return Arrays.stream(values()).filter(c -> c != OK && c.number == number).findFirst().orElse(FAILED);
    }

    /** What a peer's errno means to the caller of a command. */
    public static ExitCode ofErrno(int errno) {
        return switch (errno) {
            case Errno.OK -> OK;
            case Errno.ENOENT -> NOT_FOUND;
            case Errno.EEXIST -> EXISTS;
            case Errno.EBUSY, Errno.ESTALE -> BUSY;
            case Errno.ENOSPC, Errno.EDQUOT -> NO_SPACE;
            case Errno.EIO, Errno.EUCLEAN -> DAMAGED;
            case Errno.EINVAL, Errno.ERANGE, Errno.EFBIG, Errno.ENAMETOOLONG, Errno.EMSGSIZE, Errno.EOVERFLOW -> USAGE;
            case Errno.EHOSTDOWN -> NOT_RUNNING;
            case Errno.ETIMEDOUT -> TIMED_OUT;
            case Errno.EAGAIN, Errno.ENOMEM, Errno.EMFILE, Errno.EINTR, Errno.ESHUTDOWN, Errno.EOWNERDEAD -> TRY_AGAIN;
            default -> FAILED;
        };
    }

    /** The list that every help ends with. */
    public static String help() {
        return Arrays.stream(values()).map(c -> "  %3d  %s%n".formatted(c.number, c.meaning))
            .collect(Collectors.joining("", "Exit codes\n", "  64, 69, 70, 74, 77: the client itself failed (sysexits.h)\n"));
    }
}

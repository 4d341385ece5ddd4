package org.archipelago.ext;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.archipelago.posix.Errno;
import org.junit.jupiter.api.Test;

class ExitCodeTest {
    @Test
    void numbersAreStableAndDifferent() {
        assertThat(Arrays.stream(ExitCode.values()).map(ExitCode::number)).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 75);
    }

    @Test
    void errnosHaveTheirMeaning() {
        assertThat(ExitCode.ofErrno(Errno.OK)).isEqualTo(ExitCode.OK);
        assertThat(ExitCode.ofErrno(Errno.ENOENT)).isEqualTo(ExitCode.NOT_FOUND);
        assertThat(ExitCode.ofErrno(Errno.EBUSY)).isEqualTo(ExitCode.BUSY);
        assertThat(ExitCode.ofErrno(Errno.EEXIST)).isEqualTo(ExitCode.EXISTS);
        assertThat(ExitCode.ofErrno(Errno.ENOSPC)).isEqualTo(ExitCode.NO_SPACE);
        assertThat(ExitCode.ofErrno(Errno.EUCLEAN)).isEqualTo(ExitCode.DAMAGED);
        assertThat(ExitCode.ofErrno(Errno.EINVAL)).isEqualTo(ExitCode.USAGE);
        assertThat(ExitCode.ofErrno(Errno.ETIMEDOUT)).isEqualTo(ExitCode.TIMED_OUT);
        assertThat(ExitCode.ofErrno(Errno.EAGAIN)).isEqualTo(ExitCode.TRY_AGAIN);
        assertThat(ExitCode.ofErrno(9999)).isEqualTo(ExitCode.FAILED);
    }

    @Test
    void helpNamesEveryCode() {
        for (ExitCode code : ExitCode.values()) {
            assertThat(ExitCode.help()).contains(code.number() + "  " + code.meaning());
        }
    }
}

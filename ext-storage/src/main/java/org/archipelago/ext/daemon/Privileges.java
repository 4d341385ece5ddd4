package org.archipelago.ext.daemon;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import org.archipelago.config.DaemonSettings;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;

/**
 * Lets a command that root called work as the daemon's user, so that what it leaves in the stores is
 * that user's. Only the effective user and group change: what the caller's side of a command runs gets
 * root's rights back (setpriv).
 */
final class Privileges {
    /** struct passwd: name, password, u32 uid, u32 gid. */
    private static final int UID_AT = 16;
    private static final int GID_AT = 20;

    static {
        Native.register(Privileges.class, "c");
    }

    private Privileges() {}

    private static native Pointer getpwnam(String name);

    private static native int initgroups(String user, int group);

    private static native int setegid(int group);

    private static native int seteuid(int user);

    /** Returns whether anything changed: not, where the caller is not root or there is no such user. */
    static boolean become(DaemonSettings settings) {
        Pointer user = Posix.geteuid() == 0 ? getpwnam(settings.user()) : Pointer.NULL;
        if (user == null || user.getInt(UID_AT) == 0) {
            return false;
        }
        int uid = user.getInt(UID_AT);
        int gid = user.getInt(GID_AT);
        if (initgroups(settings.user(), gid) != 0 || setegid(gid) != 0 || seteuid(uid) != 0) {
            throw new Failure(ExitCode.FAILED, "cannot become user " + settings.user() + ": " + Errno.text(Posix.errno()));
        }
        return true;
    }
}

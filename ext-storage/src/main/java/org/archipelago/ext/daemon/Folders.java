package org.archipelago.ext.daemon;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipalLookupService;
import java.nio.file.attribute.UserPrincipalNotFoundException;
import org.archipelago.config.Configuration;
import org.archipelago.config.DaemonSettings;
import org.archipelago.config.Locations;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.posix.Posix;

/**
 * Makes the folders that the daemon needs, and gives them to its user where root does it. What lies in a
 * folder of that user's is none of root's business: it may be anything that the user has moved there, and
 * the user makes it without help.
 */
final class Folders {
    private static final String OWN = "rwx------";
    private static final String GROUP_READS = "rwxr-x---";

    private Folders() {}

    static void make(Locations locations, Configuration configuration) {
        boolean give = Posix.geteuid() == 0 && !configuration.daemon().user().equals("root") && userExists(configuration.daemon());
        make(locations.run(), GROUP_READS, configuration.daemon(), give);
        make(locations.log(), GROUP_READS, configuration.daemon(), give);
        make(locations.data(), OWN, configuration.daemon(), give);
        make(locations.run().resolve("nbd"), GROUP_READS, configuration.daemon(), give);
        make(locations.run().resolve("img"), GROUP_READS, configuration.daemon(), give);
        make(locations.run().resolve("mapped"), GROUP_READS, configuration.daemon(), give);
    }

    /** Both the user and the group. */
    static boolean userExists(DaemonSettings settings) {
        UserPrincipalLookupService names = Path.of("/").getFileSystem().getUserPrincipalLookupService();
        try {
            names.lookupPrincipalByName(settings.user());
            names.lookupPrincipalByGroupName(settings.group());
            return true;
        } catch (UserPrincipalNotFoundException e) {
            return false;
        } catch (IOException e) {
            throw new Failure(ExitCode.FAILED, "cannot look up user " + settings.user() + ": " + e.getMessage(), e);
        }
    }

    private static void make(Path folder, String permissions, DaemonSettings settings, boolean give) {
        try {
            Files.createDirectories(folder.getParent());
            if (give && Files.getOwner(folder.getParent()).getName().equals(settings.user())) {
                return;
            }
            if (!Files.isDirectory(folder)) {
                Files.createDirectories(folder);
                Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString(permissions));
            }
            PosixFileAttributeView view =
                Files.getFileAttributeView(folder, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
            if (give && !view.readAttributes().owner().getName().equals(settings.user())) {
                UserPrincipalLookupService names = folder.getFileSystem().getUserPrincipalLookupService();
                view.setOwner(names.lookupPrincipalByName(settings.user()));
                view.setGroup(names.lookupPrincipalByGroupName(settings.group()));
            }
        } catch (AccessDeniedException e) {
            throw new Failure(ExitCode.FAILED, "no permission to make " + folder + ": run this as root, or set ARCHIPELAGO_ROOT to a folder "
                + "of your own", e);
        } catch (IOException e) {
            throw new Failure(ExitCode.FAILED, "cannot make the folder " + folder + ": " + e, e);
        }
    }
}

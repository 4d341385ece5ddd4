package org.archipelago.peer.composer;

import java.lang.System.Logger.Level;
import java.util.HashSet;
import java.util.Set;
import org.archipelago.xseg.Target;

/** Objects that maps name and that are not there: each is told of once in the log; its readers get EIO. One reactor's. */
final class LostObjects {
    private static final System.Logger LOG = System.getLogger(LostObjects.class.getName());
    /** Objects that are remembered to have been told of. */
    private static final int TOLD_MOST = 1000;

    private final Set<String> told = new HashSet<>();

    void tell(Target volume, String object) {
        if (told.size() >= TOLD_MOST) {
            told.clear();
        }
        if (told.add(object)) {
            LOG.log(Level.ERROR, "a block of {0} is lost: object {1}, which its map names, is missing: bring its file back from a "
                + "copy of the store; ''vlmc check {0}'' names all that is lost", volume, object);
        }
    }
}

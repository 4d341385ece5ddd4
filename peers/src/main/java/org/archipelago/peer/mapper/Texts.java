package org.archipelago.peer.mapper;

import java.util.Optional;

/** Small objects that are only ever replaced as a whole: a store's, or copies of some of them. */
interface Texts {
    /** Empty when it is absent. Throws {@link Failure}. */
    Optional<byte[]> readText(String object);
}

package org.archipelago.ext.node;

import org.archipelago.config.Configuration;
import org.archipelago.config.Locations;

/** A node of the storage: its volumes and how they reach this host. */
public interface Node {
    Locations locations();

    Configuration configuration();

    Volumes volumes();

    /** NBD sockets of volumes, mapped ones and others that a command needs for a while. */
    Exports exports();

    /** What is mapped on this host, as recorded; also where no daemon runs. */
    MappingStore mapped();

    /** Maps and unmaps. */
    Mappings mappings();

    /** Serialises what commands do to one volume. */
    VolumeLocks locks();

    /** Which daemon this is, for names of temporary things: some hexadecimal digits. */
    String shortIdentity();
}

package org.archipelago.ext.node;

import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.archipelago.config.EndpointSettings;
import org.archipelago.config.EndpointSettings.Device;
import org.archipelago.config.Locations;
import org.archipelago.ext.Console;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.node.Mapping.Kind;
import org.archipelago.ext.node.Mapping.State;

/**
 * Maps volumes on this host and unmaps them. Each step is recorded before it is done, so that a caller
 * that dies half way leaves something that the next call for the volume, map or unmap, brings to an
 * end. Mapping takes no lease: the first write does.
 */
public final class Mappings {
    private static final System.Logger LOG = System.getLogger(Mappings.class.getName());

    private final Locations locations;
    private final EndpointSettings settings;
    private final Volumes volumes;
    private final Exports exports;
    private final MappingStore store;
    private final VolumeLocks locks;
    private final Uri uri;
    private final Map<Kind, BlockDevice> devices;

    public Mappings(Locations locations, EndpointSettings settings, Volumes volumes, Exports exports, MappingStore store,
            ServedDevices served, VolumeLocks locks) {
        this.locations = locations;
        this.settings = settings;
        this.volumes = volumes;
        this.exports = exports;
        this.store = store;
        this.locks = locks;
        this.uri = new Uri(settings.nbdReconnectSeconds());
        this.devices = Map.of(Kind.LOOP, new LoopDevice(locations.run()), Kind.NBD, new NbdDisk(locations),
            Kind.XSEGBD, new XsegbdDisk(served));
    }

    /** The text that a KVM opens a mapped volume by. */
    public String uri(Mapping mapping) {
        return uri.of(Path.of(mapping.socket()));
    }

    /** Maps a volume to a block device, or finds it mapped. */
    public Mapping map(String volume, Console console) {
        return map(volume, settings.device() != Device.NONE, console);
    }

    /** Maps a volume for those who open its URI: with a device only where the configuration insists on one. */
    public Mapping mapForUri(String volume, Console console) {
        return map(volume, settings.device() != Device.NONE && settings.device() != Device.AUTO, console);
    }

    private Mapping map(String volume, boolean device, Console console) {
        return locks.with(volume, console, () -> {
            Volume there = volumes.info(volume);
            Optional<Mapping> known = store.get(volume).filter(m -> isOf(m, there, console));
            if (known.isPresent() && known.get().state() == State.ATTACHED && intact(known.get(), device)) {
                followGrowth(known.get(), there.size(), console);
                return known.get();
            }
            Mapping mapping = known.map(m -> m.withState(State.ATTACHING)).orElseGet(() -> begin(there));
            store.put(mapping);
            return finish(mapping, device, known.isEmpty(), console);
        });
    }

    /** A mapping of another volume, which had the name before it was removed from another node, goes away. */
    private boolean isOf(Mapping mapping, Volume there, Console console) {
        boolean same = mapping.volumeId().isEmpty() || mapping.volumeId().equals(there.id());
        if (!same) {
            take(mapping, console);
        }
        return same;
    }

    /** Another node may have made the volume larger. */
    private void followGrowth(Mapping mapping, long size, Console console) {
        if (mapping.kind() != Kind.NONE && device(mapping).size(mapping.device()) < size / BlockDevice.SECTOR * BlockDevice.SECTOR) {
            exports.resized(mapping.volume(), size);
            device(mapping).resize(mapping.volume(), mapping.device(), console);
        }
    }

    /** One without a device is not what a caller wants who is owed one. */
    private boolean intact(Mapping mapping, boolean device) {
        return exports.isHeld(mapping.volume(), Exports.MAPPING)
            && (mapping.kind() == Kind.NONE ? !device : device(mapping).shows(mapping.volume(), mapping.device(), mapping.sequence()));
    }

    private Mapping begin(Volume there) {
        Path socket = locations.nbdSocket(there.name());
        return new Mapping(there.name(), there.id(), store.freeId(), State.ATTACHING, Kind.NONE, "", 0, socket.toString(),
            System.currentTimeMillis() / 1000);
    }

    private Mapping finish(Mapping begun, boolean device, boolean fresh, Console console) {
        boolean done = false;
        try {
            exports.hold(begun.volume(), Exports.MAPPING);
            uri.link(Path.of(begun.socket()));
            Mapping mapping = (device || begun.kind() != Kind.NONE ? withDevice(begun, console) : begun).withState(State.ATTACHED);
            store.put(mapping);
            done = true;
            return mapping;
        } finally {
            if (!done && fresh && !console.gone()) {
                undo(begun, console);
            }
        }
    }

    /** By the first driver that can: one that was begun with stays what it is. */
    private Mapping withDevice(Mapping mapping, Console console) {
        List<Kind> drivers = mapping.kind() == Kind.NONE ? Drivers.usable(settings.device()) : List.of(mapping.kind());
        try {
            for (Kind driver : drivers) {
                Mapping shown = mapping.withDevice(driver, "", 0);
                store.put(shown);
                try {
                    String path = device(shown).attach(mapping.volume(), console);
                    return shown.withDevice(driver, path, device(shown).sequence(path));
                } catch (BlockDevice.NoDriver e) {
                    LOG.log(Level.INFO, "volume {0} gets no {1} device: the kernel does not have them", mapping.volume(), driver);
                }
            }
        } catch (BlockDevice.NeedsRoot e) {
            store.put(mapping);
            if (settings.device() != Device.AUTO) {
                throw new Failure(ExitCode.FAILED, "volume " + mapping.volume() + " gets no device: making one needs root", e);
            }
            return mapping;
        }
        throw new Failure(ExitCode.FAILED, "volume " + mapping.volume() + " gets no device: this host does not have what makes devices of type "
            + String.join(", ", drivers.stream().map(Mapping::word).toList()) + " (ENDPOINT)");
    }

    /** Of a mapping that has one, or is about to. */
    private BlockDevice device(Mapping mapping) {
        return devices.get(mapping.kind());
    }

    /** Serves a mapped volume's device again, where that is the daemon's to do. */
    public void serveAgain(Mapping mapping) {
        if (mapping.kind() != Kind.NONE && !mapping.device().isEmpty()) {
            device(mapping).serveAgain(mapping.volume(), mapping.device());
        }
    }

    /** What a failed call began goes away again; what cannot stays recorded for the next call. */
    private void undo(Mapping mapping, Console console) {
        try {
            take(store.get(mapping.volume()).orElse(mapping), console);
        } catch (Failure e) {
            console.errLine("volume " + mapping.volume() + " stays half mapped: " + e.getMessage() + " (vlmc unmap " + mapping.volume()
                + " ends it)");
        }
    }

    /** Unmaps a volume and closes it; false where it was not mapped. */
    public boolean unmap(String volume, Console console) {
        return locks.with(volume, console, () -> {
            Optional<Mapping> known = store.get(volume);
            if (known.isEmpty()) {
                volumes.closeIfThere(volume);
                return false;
            }
            Mapping mapping = known.get().withState(State.DETACHING);
            store.put(mapping);
            take(mapping, console);
            return true;
        });
    }

    private void take(Mapping mapping, Console console) {
        if (mapping.kind() != Kind.NONE) {
            device(mapping).detach(mapping.volume(), mapping.device(), console);
            store.put(mapping.withDevice(Kind.NONE, "", 0));
        }
        uri.unlink(Path.of(mapping.socket()));
        exports.release(mapping.volume(), Exports.MAPPING);
        volumes.closeIfThere(mapping.volume()); // now that nobody can write, and open it again by that
        store.remove(mapping.volume());
    }

    /** Gives a volume another size, and its device too. */
    public void resize(String volume, long size, Console console) {
        locks.run(volume, console, () -> {
            volumes.resize(volume, size);
            exports.resized(volume, size);
            Optional<Mapping> mapping = store.get(volume).filter(m -> m.kind() != Kind.NONE);
            mapping.ifPresent(m -> device(m).resize(volume, m.device(), console));
        });
    }

    /** Throws Failure with BUSY, naming where the volume is mapped. */
    public static void refuseMapped(MappingStore store, String volume, String action) {
        store.get(volume).ifPresent(m -> {
            throw new Failure(ExitCode.BUSY, "volume " + volume + " is mapped here (" + m.place() + "): unmap it before you " + action
                + " it (vlmc unmap " + volume + ")");
        });
    }
}

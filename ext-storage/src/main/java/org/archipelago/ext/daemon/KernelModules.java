package org.archipelago.ext.daemon;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.archipelago.config.EndpointSettings.Device;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.node.Drivers;
import org.archipelago.ext.node.Mapping;
import org.archipelago.ext.node.Mapping.Kind;
import org.archipelago.posix.Posix;

/** The kernel modules of the drivers that make block devices. */
public final class KernelModules {
    private static final long LOAD_SECONDS = 60;
    private static final int TEXT_BYTES = 8 << 10;

    private KernelModules() {}

    /**
     * Loads what a setting of ENDPOINT wants: the module that it names, or the best one that this host has. Throws Failure
     * where the one that it names cannot be loaded.
     *
     * @param complaints takes a line about a module that is here and cannot be loaded
     */
    public static void load(Device setting, Consumer<String> complaints) {
        for (Kind driver : Drivers.inOrder(setting)) {
            if (Drivers.isThere(driver)) {
                return;
            }
            String module = Mapping.word(driver);
            Optional<String> problem = setting == Device.AUTO && Posix.geteuid() != 0 ? Optional.of("") : probe(module, setting == Device.AUTO);
            if (problem.isEmpty()) {
                return;
            }
            if (setting != Device.AUTO) {
                throw new Failure(ExitCode.FAILED, "the kernel module " + module + ", by which ENDPOINT = '" + module + "' makes devices, "
                    + "cannot be loaded: " + problem.get() + ": install it for this kernel, set ENDPOINT = 'auto', or leave it alone "
                    + "(archipelago start -u)");
            }
            if (!problem.get().isEmpty()) {
                complaints.accept("archipelago: warning: the kernel module " + module + " cannot be loaded: " + problem.get()
                    + ": devices are made without it");
            }
        }
    }

    /** Empty: it is loaded. Quiet: one that is not installed, or that modprobe.d blacklists, has no text. */
    private static Optional<String> probe(String module, boolean quiet) {
        List<String> words = new ArrayList<>(List.of("modprobe", module));
        if (quiet) {
            words.addAll(1, List.of("-q", "-b"));
        }
        try {
            Process modprobe = new ProcessBuilder(words).redirectErrorStream(true).start();
            modprobe.getOutputStream().close();
            if (!modprobe.waitFor(LOAD_SECONDS, TimeUnit.SECONDS)) {
                modprobe.destroyForcibly();
                return Optional.of("modprobe has not ended within " + LOAD_SECONDS + " s");
            }
            String text = new String(modprobe.getInputStream().readNBytes(TEXT_BYTES), StandardCharsets.UTF_8).strip().replace('\n', ' ');
            return modprobe.exitValue() == 0 ? Optional.empty()
                : Optional.of(text.isEmpty() && !quiet ? "modprobe ended with status " + modprobe.exitValue() : text);
        } catch (IOException e) {
            return Optional.of(quiet ? "" : "modprobe: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Optional.of("interrupted");
        }
    }
}

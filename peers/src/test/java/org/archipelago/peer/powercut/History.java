package org.archipelago.peer.powercut;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What a client knows of volumes and snapshots from what it began and what was answered, up to a moment: which there are, and for
 * each unit what may be found in it after the daemon's death, and after a power cut. Moments are numbers of events of the trace.
 */
final class History {
    private static final long NEVER = Long.MAX_VALUE;
    private static final int[] ZEROS = new int[Stamp.SECTORS];

    /** What one operation makes of a unit: steps of its sectors; several where what was there before is not known. */
    static final class Version {
        final List<int[]> contents;
        final long begin;
        private long end;
        private Version next;

        Version(List<int[]> contents, long begin, long end) {
            this.contents = contents;
            this.begin = begin;
            this.end = end;
        }

        boolean is(int[] found) {
            return contents.stream().anyMatch(expected -> Arrays.equals(expected, found));
        }

        /** When it was surely there no more. */
        long until() {
            return next == null ? NEVER : next.end;
        }
    }

    /** A volume or snapshot. */
    static final class Subject {
        final boolean snapshot;
        /** Sizes that it may have. */
        final TreeSet<Long> sizes = new TreeSet<>();
        /** Of a volume: from the last durable version on; of a snapshot: all that it may hold. Absent: zeros. */
        final TreeMap<Integer, List<Version>> units = new TreeMap<>();
        /** Snapshots that are just made of it. */
        private final Set<Subject> snapshots = new HashSet<>();
        /** An image takes its objects: what it still holds nobody knows, and it will be removed. */
        private boolean spent;

        Subject(boolean snapshot, long size) {
            this.snapshot = snapshot;
            sizes.add(size);
        }

        boolean isSpent() {
            return spent;
        }

        List<Version> versions(int unit) {
            return units.getOrDefault(unit, List.of(new Version(List.of(ZEROS), 0, 0)));
        }

        /** What may be found in a unit. */
        List<Version> allowed(int unit, boolean afterCut) {
            List<Version> versions = versions(unit);
            return afterCut || snapshot ? versions : versions.subList(lastAnswered(versions, NEVER), versions.size());
        }

        /** Which one was answered last before a moment. */
        private static int lastAnswered(List<Version> versions, long before) {
            int last = 0;
            for (int i = 0; i < versions.size(); i++) {
                last = versions.get(i).end < before ? i : last;
            }
            return last;
        }

        private Version add(int unit, List<int[]> contents, long begin) {
            List<Version> versions = units.computeIfAbsent(unit, u -> new ArrayList<>(versions(u)));
            Version version = new Version(contents, begin, NEVER);
            versions.get(versions.size() - 1).next = version;
            for (Subject pending : snapshots) {
                pending.units.computeIfAbsent(unit, u -> new ArrayList<>(allowed(u, false))).add(version);
            }
            versions.add(version);
            return version;
        }

        private void durable(int unit, long answeredBefore) {
            List<Version> versions = units.get(unit);
            versions.subList(0, lastAnswered(versions, answeredBefore)).clear();
        }
    }

    private record Operation(long begin, String[] words, Subject subject, Map<Integer, Version> versions) {}

    private final Map<String, Subject> there = new TreeMap<>();
    /** Names that something may have, and may not: what is being made or removed. */
    private final Map<String, Subject> perhaps = new TreeMap<>();
    private final Map<Integer, Operation> running = new HashMap<>();
    private int nextStep = 1;

    int nextStep() {
        return nextStep;
    }

    /** What there surely is. */
    Map<String, Subject> there() {
        return there;
    }

    Map<String, Subject> perhaps() {
        return perhaps;
    }

    /** Old names, new names of what is being renamed: one of the two is there. */
    List<String[]> renames() {
        return running.values().stream().map(Operation::words).filter(words -> words[2].equals("rename"))
            .map(words -> new String[] {words[3], words[4]}).toList();
    }

    void mark(String text, long now) {
        String[] words = text.split(" ");
        int step = Integer.parseInt(words[1]);
        if (words[0].equals("begin")) {
            nextStep = Math.max(nextStep, step + 1);
            running.put(step, begin(step, words, now));
        } else {
            end(running.remove(step), now);
        }
    }

    private Operation begin(int step, String[] words, long now) {
        Map<Integer, Version> versions = new HashMap<>();
        String name = words[3];
        Subject subject = there.get(name);
        switch (words[2]) {
            case "create" -> perhaps.put(name, new Subject(false, Long.parseLong(words[4])));
            case "snapshot" -> perhaps.put(words[4], snapshot(subject));
            case "image" -> {
                perhaps.put(words[4], snapshot(subject));
                subject.spent = true;
            }
            case "clone" -> perhaps.put(words[4], cloned(subject, Long.parseLong(words[5])));
            case "grow" -> subject.sizes.add(Long.parseLong(words[4]));
            case "delete" -> perhaps.put(name, there.remove(name));
            case "rename" -> {
                perhaps.put(name, there.remove(name));
                perhaps.put(words[4], subject);
            }
            case "write", "zero" -> {
                long from = Long.parseLong(words[4]) / Stamp.SECTOR;
                long to = from + Long.parseLong(words[5]) / Stamp.SECTOR;
                int contents = words[2].equals("zero") ? 0 : step;
                for (long unit = from / Stamp.SECTORS; unit * Stamp.SECTORS < to; unit++) {
                    if (contents == 0 && !subject.units.containsKey((int) unit)) {
                        continue; // it is zeros
                    }
                    List<Version> before = subject.versions((int) unit);
                    List<int[]> after = over(before.get(before.size() - 1).contents, (int) (from - unit * Stamp.SECTORS),
                        (int) (to - unit * Stamp.SECTORS), contents);
                    versions.put((int) unit, subject.add((int) unit, after, now));
                }
            }
            case "flush", "hash", "collect" -> { }
            default -> throw new IllegalArgumentException(String.join(" ", words));
        }
        return new Operation(now, words, subject, versions);
    }

    private static List<int[]> over(List<int[]> before, int from, int to, int step) {
        return before.stream().map(old -> {
            int[] steps = old.clone();
            Arrays.fill(steps, Math.max(0, from), Math.min(Stamp.SECTORS, to), step);
            return steps;
        }).toList();
    }

    private static Subject snapshot(Subject volume) {
        Subject snapshot = new Subject(true, volume.sizes.last());
        volume.units.keySet().forEach(unit -> snapshot.units.put(unit, new ArrayList<>(volume.allowed(unit, false))));
        volume.snapshots.add(snapshot);
        return snapshot;
    }

    private static Subject cloned(Subject snapshot, long size) {
        Subject volume = new Subject(false, size);
        snapshot.units.forEach((unit, versions) -> volume.units.put(unit, new ArrayList<>(List.of(
            new Version(versions.stream().flatMap(version -> version.contents.stream()).toList(), 0, 0)))));
        return volume;
    }

    private void end(Operation operation, long now) {
        String[] words = operation.words;
        switch (words[2]) {
            case "create" -> there.put(words[3], perhaps.remove(words[3]));
            case "snapshot", "image" -> {
                Subject snapshot = perhaps.remove(words[4]);
                operation.subject.snapshots.remove(snapshot);
                there.put(words[4], snapshot);
            }
            case "clone" -> there.put(words[4], perhaps.remove(words[4]));
            case "grow" -> operation.subject.sizes.removeIf(size -> size < Long.parseLong(words[4]));
            case "delete" -> perhaps.remove(words[3]);
            case "rename" -> {
                perhaps.remove(words[3]);
                there.put(words[4], perhaps.remove(words[4]));
            }
            case "write", "zero" -> operation.versions.forEach((unit, version) -> {
                version.end = now;
                if (words[6].equals("durable")) {
                    operation.subject.durable(unit, NEVER);
                }
            });
            case "flush" -> operation.subject.units.keySet().forEach(unit -> operation.subject.durable(unit, operation.begin));
            default -> { }
        }
    }

    /**
     * A daemon that lives on, or the next one, has found this: so it is from now on.
     *
     * @param names what there is
     * @param sizes of each
     * @param contents of units, by name
     */
    void settle(boolean afterCut, Set<String> names, Map<String, Long> sizes, Map<String, Map<Integer, int[]>> contents) {
        running.clear();
        there.putAll(perhaps);
        perhaps.clear();
        there.keySet().retainAll(names);
        there.forEach((name, subject) -> {
            subject.sizes.clear();
            subject.sizes.add(sizes.get(name));
            subject.snapshots.clear();
            contents.get(name).forEach((unit, found) -> settle(subject, unit, found, afterCut));
        });
    }

    private static void settle(Subject subject, int unit, int[] found, boolean afterCut) {
        List<Version> versions = new ArrayList<>();
        if (!afterCut && !subject.snapshot) {
            versions.addAll(subject.versions(unit));
            while (!versions.get(versions.size() - 1).is(found)) {
                versions.remove(versions.size() - 1);
            }
            versions.remove(versions.size() - 1);
        }
        versions.add(new Version(List.of(found), 0, 0));
        subject.units.put(unit, versions);
    }
}

package org.archipelago.peer.mapper;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** What a collection has come to, in numbers and sentences; these are bounded. */
final class Tally {
    private static final int SENTENCES_MOST = 100;

    long marked;
    long scanned;
    long removed;
    long bytes;
    long mapsScanned;
    long mapsRemoved;
    private final List<String> notes = new ArrayList<>();
    private final List<String> damage = new ArrayList<>();
    /** By node: how many volumes it holds. */
    private final Map<String, Long> holders = new TreeMap<>();

    /** Says what was not done, and why. */
    void note(String sentence) {
        add(notes, sentence);
    }

    /** Says what is damaged, and what mends it. */
    void damage(String sentence) {
        add(damage, sentence);
    }

    private static void add(List<String> to, String sentence) {
        if (to.size() < SENTENCES_MOST && !to.contains(sentence)) {
            to.add(sentence);
        }
    }

    void heldBy(String node) {
        if (holders.size() < SENTENCES_MOST || holders.containsKey(node)) {
            holders.merge(node, 1L, Long::sum);
        }
    }

    void put(JsonObject to) {
        to.addProperty("marked", marked);
        to.addProperty("scanned", scanned);
        to.addProperty("removed", removed);
        to.addProperty("bytes", bytes);
        to.addProperty("mapsScanned", mapsScanned);
        to.addProperty("mapsRemoved", mapsRemoved);
    }

    void putSentences(JsonObject to) {
        to.add("notes", array(notes));
        to.add("damage", array(damage));
        JsonObject held = new JsonObject();
        holders.forEach(held::addProperty);
        to.add("held", held);
    }

    private static JsonArray array(List<String> sentences) {
        JsonArray array = new JsonArray();
        sentences.forEach(array::add);
        return array;
    }
}

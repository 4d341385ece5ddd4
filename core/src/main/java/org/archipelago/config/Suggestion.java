package org.archipelago.config;

import java.util.Collection;
import java.util.Comparator;
import java.util.Locale;

/** Finds the name that was probably meant: one that is near by edit distance, or begins so; without regard to case. */
public final class Suggestion {
    private Suggestion() {}

    /** "; did you mean NAME?", or nothing where no name is near. */
    public static String of(String written, Collection<String> names) {
        String word = written.toLowerCase(Locale.ROOT);
        int most = Math.max(1, word.length() / 3);
        return names.stream()
            .filter(name -> word.length() > 2 && name.toLowerCase(Locale.ROOT).startsWith(word) || distanceTo(name, word, most) <= most)
            .min(Comparator.comparingInt((String name) -> distanceTo(name, word, most)).thenComparing(Comparator.naturalOrder()))
            .map(name -> "; did you mean " + name + "?").orElse("");
    }

    /** The same, or a full stop: the end of a sentence. */
    public static String endOfSentence(String written, Collection<String> names) {
        String near = of(written, names);
        return near.isEmpty() ? "." : near;
    }

    /** Only told apart up to that bound: what is written may be long. */
    private static int distanceTo(String name, String word, int most) {
        return Math.abs(name.length() - word.length()) > most ? Integer.MAX_VALUE : distance(word, name.toLowerCase(Locale.ROOT));
    }

    /** Insertions, deletions, replacements, and swaps of neighbours, one each. */
    static int distance(String a, String b) {
        int[][] d = new int[a.length() + 1][b.length() + 1];
        for (int i = 0; i <= a.length(); i++) {
            for (int j = 0; j <= b.length(); j++) {
                if (i == 0 || j == 0) {
                    d[i][j] = i + j;
                    continue;
                }
                int same = a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1;
                d[i][j] = Math.min(d[i - 1][j - 1] + same, Math.min(d[i - 1][j], d[i][j - 1]) + 1);
                if (i > 1 && j > 1 && a.charAt(i - 1) == b.charAt(j - 2) && a.charAt(i - 2) == b.charAt(j - 1)) {
                    d[i][j] = Math.min(d[i][j], d[i - 2][j - 2] + 1);
                }
            }
        }
        return d[a.length()][b.length()];
    }
}

package org.archipelago.config;

import java.util.Collection;
import java.util.Comparator;
import java.util.Locale;
import java.util.Optional;

/** Finds the name that was probably meant, by edit distance without regard to case. */
final class Suggestion {
    private Suggestion() {}

    /** "; did you mean NAME?", or nothing where no name is near. */
    static String of(String written, Collection<String> names) {
        String word = written.toLowerCase(Locale.ROOT);
        int most = Math.max(1, word.length() / 3);
        Optional<String> nearest = names.stream()
                .filter(n -> Math.abs(n.length() - word.length()) <= most)
                .min(Comparator.comparingInt((String n) -> distance(word, n.toLowerCase(Locale.ROOT)))
                        .thenComparing(Comparator.naturalOrder()))
                .filter(n -> distance(word, n.toLowerCase(Locale.ROOT)) <= most);
        return nearest.map(n -> "; did you mean " + n + "?").orElse("");
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

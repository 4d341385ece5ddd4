package org.archipelago.config;

/**
 * A setting and the value that holds for it.
 *
 * @param role whose it is; empty for a setting of the file itself
 * @param name as in the {@link Schema}
 * @param value in the file's syntax
 * @param line where the file says it, from 1; 0 for a default
 */
public record SettingValue(String role, String name, String value, int line) {
    public boolean isDefault() {
        return line == 0;
    }
}

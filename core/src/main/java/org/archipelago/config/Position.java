package org.archipelago.config;

/** Where something stands in the file; line and column count characters from 1, {@link #NONE} is nowhere. */
record Position(int line, int column) {
    /** Of what no line of the file says, such as a default. */
    static final Position NONE = new Position(0, 0);
}

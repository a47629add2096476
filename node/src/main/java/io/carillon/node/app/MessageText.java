package io.carillon.node.app;

import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/** What people write: checked, and put into JSON. */
public final class MessageText {
    private static final JsonMapper JSON = JsonMapper.shared();

    private MessageText() {}

    /**
     * What is wrong with a message's content and what is right, for its sender; null when it is good.
     *
     * @param most bytes in UTF-8
     */
    public static @Nullable String wrong(String content, long most) {
        if (content.isBlank()) return "content is empty: send at least one character that shows";
        try {
            int bytes = StandardCharsets.UTF_8
                    .newEncoder()
                    .encode(CharBuffer.wrap(content))
                    .remaining();
            return bytes > most ? "content has more than " + most + " bytes in UTF-8" : null;
        } catch (CharacterCodingException e) {
            return "content has half of a surrogate pair: send whole characters";
        }
    }

    /** The text as a JSON string. */
    static String json(String text) {
        return JSON.writeValueAsString(text);
    }

    /** The text with the characters that mean something to HTML as entities. */
    public static String escaped(String text) {
        StringBuilder out = null;
        for (int i = 0; i < text.length(); i++) {
            String entity = switch (text.charAt(i)) {
                case '&' -> "&amp;";
                case '<' -> "&lt;";
                case '>' -> "&gt;";
                case '"' -> "&#34;";
                case '\'' -> "&#39;";
                default -> null;
            };
            if (entity == null) {
                if (out != null) out.append(text.charAt(i));
                continue;
            }
            if (out == null) out = new StringBuilder(text.length() + 32).append(text, 0, i);
            out.append(entity);
        }
        return out == null ? text : out.toString();
    }
}

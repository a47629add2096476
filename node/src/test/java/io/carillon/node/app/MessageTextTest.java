package io.carillon.node.app;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class MessageTextTest {
    @Test
    void whatMeansSomethingToHtmlIsEscapedAndNothingElse() {
        assertThat(MessageText.escaped("<a href=\"x\">Tom & 'Jerry'</a>"))
                .isEqualTo("&lt;a href=&#34;x&#34;&gt;Tom &amp; &#39;Jerry&#39;&lt;/a&gt;");
        assertThat(MessageText.escaped("&amp;")).isEqualTo("&amp;amp;");
        assertThat(MessageText.escaped("你好 😀 / ` =")).isEqualTo("你好 😀 / ` =");
        assertThat(MessageText.escaped("")).isEmpty();
    }

    @Test
    void theLimitIsInBytesAndExactlyThatManyAreAllowed() {
        assertThat(MessageText.wrong("é".repeat(5), 10)).isNull();
        assertThat(MessageText.wrong("é".repeat(5) + "x", 10)).contains("10 bytes");
        assertThat(MessageText.wrong("😀", 4)).isNull();
    }

    @Test
    void whatSaysNothingOrIsNoTextIsWrong() {
        assertThat(MessageText.wrong("", 10)).contains("empty");
        assertThat(MessageText.wrong(" \t\n", 10)).contains("empty");
        assertThat(MessageText.wrong("a\ud83d", 10)).contains("surrogate");
        assertThat(MessageText.wrong("a", 10)).isNull();
    }

    @Test
    void aTextInJsonIsQuoted() {
        assertThat(MessageText.json("a\"\\\n\u0001é")).isEqualTo("\"a\\\"\\\\\\n\\u0001é\"");
    }
}

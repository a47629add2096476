package io.carillon.node.identity;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSSigner;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.crypto.RSASSASigner;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.RSAKey;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Makes tokens, honest ones and others, from the very texts of their header and claims. */
public final class Forge {
    public static final String SECRET = "f0a1Zk83Lq-Rt5xWnB2vYc7uHs9Jd4Mg6PeQ";

    private Forge() {}

    public static String base64(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    public static String base64(String text) {
        return base64(text.getBytes(StandardCharsets.UTF_8));
    }

    public static String hs256(String claims) {
        return hs256("{\"alg\":\"HS256\",\"typ\":\"JWT\"}", claims, SECRET.getBytes(StandardCharsets.UTF_8));
    }

    public static String hs256(String header, String claims, byte[] key) {
        return mac("HmacSHA256", header, claims, key);
    }

    public static String mac(String mac, String header, String claims, byte[] key) {
        try {
            String input = base64(header) + '.' + base64(claims);
            Mac hmac = Mac.getInstance(mac);
            hmac.init(new SecretKeySpec(key, mac));
            return input + '.' + base64(hmac.doFinal(input.getBytes(StandardCharsets.US_ASCII)));
        } catch (GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }

    public static String rs256(String header, String claims, RSAKey key) {
        try {
            return signed(JWSAlgorithm.RS256, header, claims, new RSASSASigner(key));
        } catch (JOSEException e) {
            throw new AssertionError(e);
        }
    }

    public static String es256(String header, String claims, ECKey key) {
        try {
            return signed(JWSAlgorithm.ES256, header, claims, new ECDSASigner(key));
        } catch (JOSEException e) {
            throw new AssertionError(e);
        }
    }

    private static String signed(JWSAlgorithm algorithm, String header, String claims, JWSSigner signer)
            throws JOSEException {
        String input = base64(header) + '.' + base64(claims);
        return input + '.' + signer.sign(new JWSHeader(algorithm), input.getBytes(StandardCharsets.US_ASCII));
    }
}

package io.carillon.node.api;

import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.RestControllerAdvice;

/** Answers what this room's controllers throw, whatever web framework runs them. */
@RestControllerAdvice(basePackageClasses = ApiAdvice.class)
class ApiAdvice {
    @ExceptionHandler(Exception.class)
    ResponseEntity<Problem> problem(Exception failure) {
        return Problems.of(failure);
    }
}

package probe

// Unreachable lets tests look at errors of certificates that nobody issues.
var Unreachable = unreachable

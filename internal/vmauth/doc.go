// Package vmauth reads a configuration of vmauth, https://docs.victoriametrics.com/victoriametrics/vmauth/, and says which deployments
// and access tokens let the same clients in.
//
// It knows how vmauth routes and how the access endpoint does, and compares both, path by path. So it can say of each user what becomes
// different, and it never gives a token more than the user had without saying so. A restriction that Gatehouse cannot keep leaves the
// user out: whoever does not need it takes it out of the file.
package vmauth

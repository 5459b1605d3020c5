package api

import (
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"gatehouse/internal/gatehouse"
)

func TestDecodeJSON(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		var in deploymentUpdate
		err := decodeJSON([]byte(body), &in)
		if want == "" && err != nil {
			t.Errorf("%.100s is refused: %v", body, err)
		}
		if want != "" && (gatehouse.ErrorCode(err) != gatehouse.Invalid || !strings.Contains(gatehouse.ErrorMessage(err), want)) {
			t.Errorf("%.100s: want %q, got %v", body, want, err)
		}
	}
	f(" \r\n{\"name\":\"ü\",\"tier\":9}\t\n", "")
	f(`{"name":"x","tier":9,"retention":null,"flags":null}`, "")
	f(`{"name":"x","tier":9,"flags":{"single_flags":null,"select_flags":[],"storage_flags":["-a"]}}`, "")

	f(`{}`, `the fields "name", "tier" are missing or empty; send them, with values`)
	f(`{"name":"","tier":9}`, `the field "name" is missing`)
	f(`{"name":"x"}`, `the field "tier" is missing`)
	f(`{"name":"x","tier":null}`, `the field "tier" is missing`)
	f(`{"name":"x","tier":0}`, `the field "tier" is missing`)

	f(``, "the body is empty")
	f(` `, "the body is empty")
	f(`null`, "not a JSON object")
	f(`[]`, "not a JSON object")
	f(`"x"`, "not a JSON object")
	f(`name=x&tier=1`, "not a JSON object")
	f(`{`, "not valid JSON")
	f(`{"name":"x"`, "not valid JSON")
	f(`{"name":"x"}}`, "not valid JSON")
	f(`{"name":"x"}{"name":"y"}`, "not valid JSON")
	f(`{'name':"x"}`, "not valid JSON")
	f(`{"name":"x",}`, "not valid JSON")
	f(`{"name":"\ud800"}`, "not valid JSON") // half a surrogate pair: Go would store another character
	f("{\"name\":\"a\xff\"}", "not valid UTF-8")
	f(`{"name":"x","name":"y"}`, `the field "name" is there twice`)
	f(`{"name":"x","n\u0061me":"y"}`, `the field "name" is there twice`)
	f(`{"flags":{"single_flags":[],"single_flags":[]}}`, `the field "flags.single_flags" is there twice`)
	f(`{"nmae":"x"}`, `there is no field "nmae"`)
	f(`{"Name":"x"}`, `there is no field "Name"`)
	f(`{"flags":{"x":1}}`, `there is no field "flags.x"`)
	f(`{"`+strings.Repeat("x", 1000)+`":1}`, `there is no field "xxx`)
	f(`{"name":1}`, `the field "name" must be a string`)
	f(`{"name":["x"]}`, `the field "name" must be a string`)
	f(`{"tier":"21"}`, `the field "tier" must be a whole number`)
	f(`{"tier":21.0}`, `the field "tier" must be a whole number`)
	f(`{"tier":-1}`, `the field "tier" must be a whole number`)
	f(`{"tier":4294967317}`, `the field "tier" must be a whole number from 0 to 4294967295`)
	f(`{"tier":1e999}`, `the field "tier" must be a whole number`)
	f(`{"tier":true}`, `the field "tier" must be a whole number`)
	f(`{"storage_size":10.5}`, `the field "storage_size" must be a whole number`)
	f(`{"storage_size":18446744073709551616}`, `the field "storage_size" must be a whole number from 0 to 18446744073709551615`)
	f(`{"storage_size":-20}`, `the field "storage_size" must be a whole number`)
	f(`{"flags":[]}`, `the field "flags" must be an object`)
	f(`{"flags":{"single_flags":"-a"}}`, `the field "flags.single_flags" must be a list`)
	f(`{"flags":{"single_flags":[1]}}`, `the field "flags.single_flags.0" must be a string`)
	f(strings.Repeat(`{"flags":`, 7000), `there is no field "flags.flags"`)
	f(`{"name":`+strings.Repeat(`[`, 60_000), `not valid JSON`)
	f(`{"name":`+strings.Repeat(`[`, 9000)+strings.Repeat(`]`, 9000)+`}`, `the field "name" must be a string`)
}

func TestDecodeQuery(t *testing.T) {
	f := func(query, want string) {
		t.Helper()
		var in auditPage
		err := decodeQuery(query, &in)
		if want == "" && err != nil {
			t.Errorf("%s is refused: %v", query, err)
		}
		if want != "" && (gatehouse.ErrorCode(err) != gatehouse.Invalid || !strings.Contains(gatehouse.ErrorMessage(err), want)) {
			t.Errorf("%s: want %q, got %v", query, want, err)
		}
	}
	f("", "")
	f("actor=a+b&limit=7&offset=0", "")
	f("limit=x", `"limit" must be a whole number`)
	f("limit=99999999999999999999", `"limit" must be a whole number`)
	f("limit=1&limit=2", `"limit" is there 2 times`)
	f("lmit=1", "it knows from, to, actor")
	f("actor=%ff", "not valid UTF-8")
	f("actor=%zz", "not valid")
	f("actor="+strings.Repeat("x", 1001), "too long")
}

func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{
		`{"name":"x","tier":21,"storage_size":20,"flags":{"single_flags":["-a"]}}`, `{"tier":1e999}`, `{"name":"x","name":"y"}`, `{"flags":{"x":[[[{}]]]}}`,
		"{\"name\":\"\xff\"}", `{"name":"\ud800\udc00"}`, `{"storage_size":18446744073709551615}`, `null`, `{"~1":0}`, `{"a/b~":0}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, in := range []any{&newDeployment{}, &deploymentUpdate{}, &newTokens{}, &connectedDeployment{}, &newAPIKey{}, &newUser{}} {
			err := decodeJSON(body, in)
			oneLine(t, err)
			if err != nil {
				continue
			}
			// What is accepted is text that goes out again as it came in.
			for _, field := range reflect.VisibleFields(reflect.TypeOf(in).Elem()) {
				if v := reflect.ValueOf(in).Elem().FieldByIndex(field.Index); v.Kind() == reflect.String && !utf8.ValidString(v.String()) {
					t.Fatalf("%s is not UTF-8", field.Name)
				}
			}
		}
	})
}

func FuzzDecodeQuery(f *testing.F) {
	for _, seed := range []string{"from=2026-11-24T00:00:00Z&limit=1", "limit=-1", "a=%", "actor=%ff", "to=9999-12-31T23:59:60Z", "deployment_id=%00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		var in auditPage
		err := decodeQuery(query, &in)
		oneLine(t, err)
		if err == nil {
			_, err = in.parse()
			oneLine(t, err)
			if _, bad := url.ParseQuery(query); bad != nil {
				t.Fatalf("%q is accepted", query)
			}
		}
	})
}

// FuzzParseSettings looks for numbers that pass by wrapping round.
func FuzzParseSettings(f *testing.F) {
	f.Add(uint64(16), "TB", uint32(21))
	f.Add(uint64(1<<54), "TB", uint32(0))
	f.Add(^uint64(0), "GB", ^uint32(0))
	f.Fuzz(func(t *testing.T, size uint64, unit string, tier uint32) {
		s, err := deploymentSettings{Name: "x", StorageSize: size, StorageSizeUnit: unit, Tier: tier, Retention: 1, RetentionUnit: "d"}.parse(gatehouse.Deployment{Type: gatehouse.SingleNode, Managed: true})
		oneLine(t, err)
		if err == nil && s.Check(gatehouse.SingleNode) == nil && s.StorageGB != size && s.StorageGB != size*gbPerTB {
			t.Fatalf("%d %s became %d GB", size, unit, s.StorageGB)
		}
	})
}

// oneLine sees to it that an error is one short line for the user.
func oneLine(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	line := gatehouse.ErrorMessage(err)
	if gatehouse.ErrorCode(err) != gatehouse.Invalid || len(line) > 1000 || strings.ContainsAny(line, "\n\r") || !utf8.ValidString(line) {
		t.Fatalf("the error is %q", line)
	}
}

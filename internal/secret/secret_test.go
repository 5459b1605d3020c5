package secret

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"log/slog"
	"regexp"
	"strings"
	"testing"
)

func TestNewSecretHasTheDocumentedFormat(t *testing.T) {
	pattern := regexp.MustCompile(`^` + Pattern + `$`)
	for _, kind := range []Kind{AccessToken, APIKey} {
		value := New(kind).Reveal()
		if len(value) != 43 || !strings.HasPrefix(value, string(kind)) {
			t.Errorf("the %s secret is %d characters long", kind, len(value))
		}
		if !pattern.MatchString(value) {
			t.Errorf("the pattern for secret scanners misses a %s secret", kind)
		}
		if got, ok := KindOf(value); !ok || got != kind {
			t.Errorf("the kind is %q, want %q", got, kind)
		}
		if !Valid(value) {
			t.Errorf("a new %s secret is not valid", kind)
		}
	}
}

func TestChecksumIsCRC32InBase62(t *testing.T) {
	// Worked out by hand from the documented format, so that other programs can follow it.
	body := "vmat_" + strings.Repeat("0", 32)
	n := uint64(crc32.ChecksumIEEE([]byte(body)))
	want := ""
	for range 6 {
		want = string(base62[n%62]) + want
		n /= 62
	}
	if n != 0 {
		t.Fatal("six characters do not hold a CRC-32")
	}
	if !Valid(body + want) {
		t.Errorf("%s is not valid", body+want)
	}
}

func TestPatternFindsSecretsInText(t *testing.T) {
	pattern := regexp.MustCompile(Pattern)
	value := New(AccessToken).Reveal()
	for _, text := range []string{value, "Bearer " + value, `"token":"` + value + `"`, "https://vm/?t=" + value + "&x=1"} {
		if pattern.FindString(text) != value {
			t.Errorf("the secret is not found in %q", strings.ReplaceAll(text, value, "…"))
		}
	}
	for _, text := range []string{"", value[:42], value + "0", "x" + value, "vmxt_" + value[5:]} {
		if pattern.MatchString(text) {
			t.Errorf("%d characters that are no secret are found", len(text))
		}
	}
}

func TestEverySingleCharacterChangeIsCaught(t *testing.T) {
	value := New(AccessToken).Reveal()
	for i := range value {
		for _, c := range []byte(base62 + "_-. \x00\xff") {
			if changed := value[:i] + string([]byte{c}) + value[i+1:]; changed != value && Valid(changed) {
				t.Fatalf("a changed character at %d goes unnoticed", i)
			}
		}
		if Valid(value[:i] + value[i+1:]) {
			t.Fatalf("a lost character at %d goes unnoticed", i)
		}
		if i > 0 && value[i] != value[i-1] {
			if Valid(value[:i-1] + string(value[i]) + string(value[i-1]) + value[i+1:]) {
				t.Fatalf("swapped characters at %d go unnoticed", i)
			}
		}
	}
}

func TestSecretsAreSpreadEvenly(t *testing.T) {
	const secrets = 5000
	counts := map[byte]int{}
	seen := map[string]bool{}
	for range secrets {
		value := New(AccessToken).Reveal()
		if seen[value] {
			t.Fatal("a secret comes twice")
		}
		seen[value] = true
		for _, c := range []byte(value[prefixLength : prefixLength+randomLength]) {
			counts[c]++
		}
	}
	if len(counts) != 62 {
		t.Fatalf("%d different characters are used, want 62", len(counts))
	}
	// Pearson's chi-squared with 61 degrees of freedom: 150 is passed by chance once in some hundred million runs; the bias of
	// byte % 62, which this looks for, gives more than 1000.
	expected := float64(secrets*randomLength) / 62
	var chi float64
	for _, n := range counts {
		chi += (float64(n) - expected) * (float64(n) - expected) / expected
	}
	if chi > 150 {
		t.Errorf("the characters are not spread evenly: chi-squared is %.0f", chi)
	}
}

func TestMask(t *testing.T) {
	f := func(value, want string) {
		t.Helper()
		if got := Mask(value); got != want {
			t.Errorf("the mask of %q is %q, want %q", value, got, want)
		}
	}
	f("vmat_7e22abcdefghijklmnopqrstuvwxyz01abcdef", "7e22")
	f("vmak_7e22abcdefghijklmnopqrstuvwxyz01abcdef", "7e22")
	f("glpat-0123456789", "glpa") // foreign, 16 characters
	f("glpat-012345678", "")      // 15: four would tell much of it
	f("vmat_7e22", "")
	f("vmat_", "")
	f("", "")
	f("a\nbcdefghijklmnopq", "")
	f("a bcdefghijklmnopqr", "")
	f("\x1b[31mabcdefghijklmn", "")
	f("zürich-abcdefghijklmn", "")
}

func TestNoWayOfPrintingShowsTheValue(t *testing.T) {
	s := New(AccessToken)
	value := s.Reveal()
	type config struct {
		Public  Secret
		private Secret
		pointer *Secret
		any     any
	}
	holders := map[string]any{
		"secret": s, "pointer": &s, "slice": []Secret{s}, "map": map[string]Secret{"k": s}, "key": map[Secret]int{s: 1},
		"struct": config{s, s, &s, s}, "struct pointer": &config{s, s, &s, s}, "error": fmt.Errorf("wrapped: %v", s),
	}
	check := func(how, text string) {
		t.Helper()
		if strings.Contains(text, value[prefixLength+maskLength:]) || strings.Contains(text, fmt.Sprintf("%x", value)) {
			t.Errorf("%s shows the value", how)
		}
	}
	for name, holder := range holders {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%c", "%U", "%10.3s", "%T", "%z"} {
			check(name+" by "+verb, fmt.Sprintf(verb, holder))
		}
		check(name+" by Sprint", fmt.Sprint(holder))
		var out bytes.Buffer
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "k", holder)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "k", holder)
		check(name+" by slog", out.String())
		if text, err := json.Marshal(holder); err == nil {
			check(name+" by json", string(text))
		}
	}
	text, err := xml.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	check("xml", string(text))

	if want := value[prefixLength:prefixLength+maskLength] + "••••"; fmt.Sprint(s) != want || s.String() != want {
		t.Errorf("the secret is printed as %q, want %q", s, want)
	}
	if got := (Secret{}).Reveal(); got != "" || (Secret{}).String() != "••••" {
		t.Error("the zero secret is not empty")
	}
}

func TestHashIsSHA256(t *testing.T) {
	if got := fmt.Sprintf("%x", From("abc").Hash()); got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("the hash is %s", got)
	}
}

func FuzzValid(f *testing.F) {
	good := New(APIKey).Reveal()
	for _, s := range []string{"", "vmat_", good, good[:42], good + "x", "vmat_" + good[5:], strings.Repeat("\xff", length)} {
		f.Add(s)
	}
	format := regexp.MustCompile(`\A` + Pattern + `\z`)
	f.Fuzz(func(t *testing.T, s string) {
		mask := Mask(s)
		if len(mask) > maskLength || !strings.Contains(s, mask) {
			t.Fatalf("the mask of %q is %q", s, mask)
		}
		kind, known := KindOf(s)
		if known != HasPrefix(s) || !strings.HasPrefix(s, string(kind)) {
			t.Fatalf("the kind of %q is %q", s, kind)
		}
		if !Valid(s) {
			return
		}
		if !format.MatchString(s) || s[37:] != checksum(s[:37]) {
			t.Fatalf("%q is valid", s)
		}
	})
}

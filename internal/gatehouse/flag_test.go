package gatehouse

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestCheckEngineFlag(t *testing.T) {
	take := func(text, want string) {
		t.Helper()
		if got, err := CheckEngineFlag(SingleProgram, text); err != nil || got != want {
			t.Errorf("%q gives %q, %v; want %q", text, got, err, want)
		}
	}
	take("-search.maxQueueDuration=20s", "-search.maxQueueDuration=20s")
	take("--search.maxQueryDuration=360s", "-search.maxQueryDuration=360s") // from the Terraform provider's example
	take("-search.disableCache", "-search.disableCache=true")
	take("-search.disableCache=false", "-search.disableCache=false")
	take("-search.maxMemoryPerQuery=64MiB", "-search.maxMemoryPerQuery=64MiB")
	take("-search.maxQueryLen=16384", "-search.maxQueryLen=16384")
	take("-maxLabelsPerTimeseries=1000", "-maxLabelsPerTimeseries=1000")

	refuse := func(text string, words ...string) {
		t.Helper()
		_, err := CheckEngineFlag(SingleProgram, text)
		wantField(t, err, "flags")
		for _, word := range words {
			if err != nil && !strings.Contains(err.Error(), word) {
				t.Errorf("%q is refused with %q; want it to say %q", text, err, word)
			}
		}
	}
	for _, name := range []string{
		"httpListenAddr", "httpAuth.password", "storageDataPath", "graphiteListenAddr", "promscrape.config", "pushmetrics.url", "http.pathPrefix",
		"envflag.enable", "snapshotAuthKey", "storage.minFreeDiskSpaceBytes", "loggerOutput", "tls", "nonsense",
	} {
		refuse("-"+name+"=1", "-"+name+" cannot be set here")
	}
	refuse("-retentionPeriod=1", "change the retention")
	refuse("-dedup.minScrapeInterval=1s", "change the deduplication")
	refuse("--storage.maxHourlySeries=-1", "change the tier")
	refuse("-memory.allowedPercent=99", "change the tier")
	refuse("search.disableCache", "write it like")
	refuse("-", "write it like")
	refuse("-=1", "write it like")
	refuse("---search.disableCache")
	refuse("-search.disableCache=1", "true or false")
	refuse("-search.disableCache=", "true or false")
	refuse("-search.disableCache =true")
	refuse("-search.maxQueueDuration", "a time like")
	refuse("-search.maxQueueDuration=20", "a time like")
	refuse("-search.maxQueueDuration=1d", "a time like")
	refuse("-search.maxQueueDuration=-1s", "1s to 10m0s")
	refuse("-search.maxQueueDuration=11m", "1s to 10m0s")
	refuse("-search.maxSeries=0", "1 to 100000000")
	refuse("-search.maxSeries=1e3", "whole number")
	refuse("-search.maxSeries=99999999999999999999", "whole number")
	refuse("-search.maxMemoryPerQuery=1.5GiB", "a size like")
	refuse("-search.maxMemoryPerQuery=10", "1MiB to 1TiB")
	refuse("-search.maxMemoryPerQuery=99999999999999TiB", "a size like")
	refuse("-search.maxMemoryPerQuery=-1MiB")
	refuse("-search.maxSeries=1\n-tls")
}

func TestEachProgramOfAClusterTakesItsOwnFlags(t *testing.T) {
	for _, f := range EngineFlags {
		flag := "-" + f.Name + "=" + f.Format(f.Least)
		if len(f.ClusterPrograms()) == 0 || !slices.Contains(f.Programs, SingleProgram) {
			t.Errorf("-%s is not for %v", f.Name, f.Programs)
		}
		for _, p := range Programs {
			_, err := CheckEngineFlag(p, flag)
			if takes := slices.Contains(f.Programs, p); takes != (err == nil) {
				t.Errorf("%s: %s is answered: %v", p, flag, err)
			} else if !takes {
				wantField(t, err, p.FlagsField())
			}
		}
	}
	_, err := CheckEngineFlag(InsertProgram, "-search.maxQueueDuration=20s")
	if err == nil || !strings.Contains(err.Error(), "not one of vminsert; give it to vmselect or vmstorage") {
		t.Errorf("a flag for another program is answered: %v", err)
	}
}

func TestEngineFlagsAreSortedAndGivenOnce(t *testing.T) {
	got, err := CheckEngineFlags(SingleProgram, []string{"-search.maxSeries=5", "--search.disableCache"})
	if err != nil || !slices.Equal(got, []string{"-search.disableCache=true", "-search.maxSeries=5"}) {
		t.Errorf("got %v, %v", got, err)
	}
	_, err = CheckEngineFlags(SingleProgram, []string{"-search.maxSeries=5", "--search.maxSeries=6"})
	wantField(t, err, "flags")
}

func TestEveryFlagIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/tiers.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range EngineFlags {
		if line := f.row(); !strings.Contains(string(page), line) {
			t.Errorf("docs/tiers.md lacks the line %s", line)
		}
		if f.Help == "" || f.Least > f.Most {
			t.Errorf("-%s has no help or no range", f.Name)
		}
	}
}

// row is the flag's line in the documentation.
func (f EngineFlag) row() string {
	values := f.Format(f.Least) + " to " + f.Format(f.Most)
	if f.Kind == SwitchFlag {
		values = "true, false"
	}
	return "| `-" + f.Name + "` | " + values + " | " + f.Help + " | " + strings.Join(f.ClusterPrograms(), ", ") + " |"
}

func TestSizes(t *testing.T) {
	for text, n := range map[string]int64{"0": 0, "1500": 1500, "500KB": 500_000, "64MiB": 64 << 20, "2GiB": 2 << 30, "1TB": 1e12} {
		if got, err := ParseSize(text); err != nil || got != n || FormatSize(n) != text {
			t.Errorf("%s is read as %d, %v, and %d is written as %s", text, got, err, n, FormatSize(n))
		}
	}
	if _, err := ParseSize("1 MiB"); err == nil {
		t.Error("a size with a blank is read")
	}
}

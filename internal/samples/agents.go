package samples

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// newRelic counts the numbers in the events of the infrastructure agent, but for their time.
func newRelic(s *source) (int, error) {
	return inJSON(s, []string{every, "Events", every}, func(r reader) (int, error) {
		n := 0
		err := r.inside('{', func(name string) error {
			if r.PeekKind() == '0' && name != "" && name != "timestamp" {
				n++
			}
			return r.SkipValue()
		})
		return n, err
	})
}

// zabbixItem is what VictoriaMetrics needs of an item of the Zabbix connector to store it.
type zabbixItem struct {
	Type *int   `json:"type"`
	Name string `json:"name"`
	Host struct {
		Host string `json:"host"`
		Name string `json:"name"`
	} `json:"host"`
	Value *float64 `json:"value"`
	Clock *int64   `json:"clock"`
	Ns    *int64   `json:"ns"`
	// Tags are not decoded: as values of Go they would take forty times their room.
	Tags jsontext.Value `json:"item_tags"`
}

// zabbix counts the items that hold a number: type 0 or 3.
func zabbix(s *source) (int, error) {
	r, err := s.plain()
	if err != nil {
		return 0, err
	}
	total, bad := 0, 0
	_, err = lines(r, func(line []byte) error {
		if len(line) == 0 {
			return nil
		}
		var i zabbixItem
		if err := json.Unmarshal(line, &i, lenient); err != nil {
			bad++
			return tooMany(bad)
		}
		if i.isStored() {
			total++
		}
		return nil
	})
	return total, err
}

func (i *zabbixItem) isStored() bool {
	return i.Type != nil && (*i.Type == 0 || *i.Type == 3) && i.Name != "" && i.Host.Host != "" && i.Host.Name != "" &&
		i.Value != nil && i.Clock != nil && i.Ns != nil && i.Tags.Kind() == '['
}

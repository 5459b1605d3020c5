package main

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/gatehouse"
)

// deploymentJSON is a deployment as --json prints it, with the field names of the management API; tier is its name.
type deploymentJSON struct {
	ID                    string    `json:"id"`
	Name                  string    `json:"name"`
	Type                  string    `json:"type"`
	Managed               bool      `json:"managed"`
	Provider              string    `json:"cloud_provider,omitempty"`
	Region                string    `json:"region,omitempty"`
	Status                string    `json:"status"`
	StatusDetail          string    `json:"status_detail,omitempty"`
	StoppedBy             string    `json:"stopped_by,omitempty"`
	Version               string    `json:"version,omitempty"`
	URLs                  []string  `json:"urls,omitempty"`
	InsertURLs            []string  `json:"insert_urls,omitempty"`
	SelectURLs            []string  `json:"select_urls,omitempty"`
	Tier                  string    `json:"tier,omitempty"`
	RetentionValue        uint32    `json:"retention_value,omitempty"`
	RetentionUnit         string    `json:"retention_unit,omitempty"`
	StorageGB             uint64    `json:"storage_size_gb,omitempty"`
	DeduplicationValue    uint32    `json:"deduplication_value,omitempty"`
	DeduplicationUnit     string    `json:"deduplication_unit,omitempty"`
	MaintenanceWindow     string    `json:"maintenance_window,omitempty"`
	SingleSettings        []string  `json:"vmsingle_settings,omitempty"`
	InsertSettings        []string  `json:"vminsert_settings,omitempty"`
	SelectSettings        []string  `json:"vmselect_settings,omitempty"`
	StorageSettings       []string  `json:"vmstorage_settings,omitempty"`
	NotifierURL           string    `json:"notifier_url,omitempty"`
	MaxConcurrentRequests int       `json:"max_concurrent_requests"`
	CreatedAt             time.Time `json:"created_at"`
	CreatedBy             string    `json:"created_by"`
}

func deploymentOut(d gatehouse.Deployment) deploymentJSON {
	out := deploymentJSON{
		ID: d.ID, Name: d.Name, Type: string(d.Type), Managed: d.Managed,
		Status: string(d.State.Status), StatusDetail: d.State.Detail, StoppedBy: d.StoppedBy, Version: d.State.Version,
		URLs: d.URLs, InsertURLs: d.InsertURLs, SelectURLs: d.SelectURLs,
		NotifierURL: d.NotifierURL, MaxConcurrentRequests: d.MaxConcurrentRequests, CreatedAt: d.CreatedAt, CreatedBy: d.CreatedBy,
	}
	if d.Managed {
		out.Provider, out.Region, out.Tier = d.Provider, d.Region, tierText(d)
		out.RetentionValue, out.RetentionUnit, out.StorageGB = d.Retention.Value, d.Retention.Unit, d.StorageGB
		out.DeduplicationValue, out.DeduplicationUnit, out.MaintenanceWindow = d.Deduplication.Value, d.Deduplication.Unit, d.MaintenanceWindow
		out.SingleSettings, out.InsertSettings, out.SelectSettings, out.StorageSettings = d.Flags.Single, d.Flags.Insert, d.Flags.Select, d.Flags.Storage
	}
	return out
}

func tierText(d gatehouse.Deployment) string {
	return cmp.Or(d.Tier, gatehouse.UnlimitedFor(d.Type).Name)
}

// deploymentRows are a deployment for people. The settings of a connected one are where it runs.
func deploymentRows(d gatehouse.Deployment) [][]string {
	where := strings.Join(slices.Concat(d.URLs, d.InsertURLs, d.SelectURLs), " ")
	if d.Managed {
		where = "managed by Gatehouse, provider " + d.Provider + ", region " + d.Region
	}
	rows := [][]string{
		{"Name", d.Name}, {"ID", d.ID}, {"Type", d.Type.Label()}, {"Runs at", where},
		{"Status", strings.TrimSpace(d.State.Status.Label() + "  " + d.State.Detail)}, {"Version", orDash(d.State.Version)},
	}
	if d.Managed {
		storage := "as much as the disk has"
		if d.StorageGB > 0 {
			storage = strconv.FormatUint(d.StorageGB, 10) + " GB"
		}
		rows = append(rows, [][]string{
			{"Tier", tierText(d)}, {"Retention", d.Retention.Label()}, {"Storage", storage},
			{"Deduplication", cmp.Or(d.Deduplication.String(), "none")}, {"Maintenance window", cmp.Or(d.MaintenanceWindow, anyWindow)},
		}...)
		for _, p := range d.Type.Programs() {
			if flags := d.Flags.Of(p); len(flags) > 0 {
				rows = append(rows, []string{p.FlagsLabel(), strings.Join(flags, " ")})
			}
		}
	}
	return append(rows, [][]string{
		{"Concurrent requests per token", strconv.Itoa(d.MaxConcurrentRequests)}, {"Notifier", orDash(d.NotifierURL)},
		{"Created", timeText(d.CreatedAt) + " by " + d.CreatedBy},
	}...)
}

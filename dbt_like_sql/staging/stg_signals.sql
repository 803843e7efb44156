/* ---
description: Transit signals with the columns that people ask for, and how many signals their star has.
owner: team:exo
key: signal_id
columns:
  signal_id:
    description: "Name of the signal: KOI, TOI or K2 name"
    tests:
      - relationships: {to: core_signals, field: signal_id}
  mission:
    description: Mission that the catalogue entry comes from
    tests:
      - accepted_values: [kepler, k2, tess]
  star_id:
    description: Host star across missions (key of core_stars)
    tests:
      - not_null
      - relationships: {to: core_stars, field: star_id}
  mission_star_id: Host in the mission's own naming
  kic_id: Kepler Input Catalog number
  epic_id: K2 Ecliptic Plane Input Catalog number
  tic_id: TESS Input Catalog number
  planet_name: Name of the confirmed planet
  disposition: Harmonised disposition of the archive
  disposition_archive: Disposition exactly as the archive wrote it
  period_days: {description: Orbital period, unit: d}
  t0_bjd: {description: "Time of a mid-transit, barycentric (TDB) Julian date", unit: d}
  duration_hours: {description: "Transit duration, first to last contact", unit: h}
  depth_ppm: {description: Transit depth, unit: ppm}
  radius_earth: {description: Planet radius, unit: R_Earth}
  insolation_earth: {description: Insolation, unit: S_Earth}
  teq_k: {description: Equilibrium temperature, unit: K}
  snr: Signal to noise of the transit model
  ra_deg: {description: "Right ascension, ICRS", unit: deg}
  dec_deg: {description: "Declination, ICRS", unit: deg}
  magnitude: {description: "Brightness in the mission's band: Kepler, TESS, or Gaia G for K2", unit: mag}
  distance_pc: {description: Distance, unit: pc}
  star_teff_k: {description: Effective temperature of the star, unit: K}
  star_radius_sun: {description: Radius of the star, unit: R_Sun}
  star_mass_sun: {description: Mass of the star, unit: M_Sun}
  star_logg_cgs: {description: "Surface gravity of the star, log10", unit: cm/s2}
  signals_on_star: {description: "Signals of the same star, all missions, this one included", type: BIGINT}
  has_diagnostics: Whether DR25 pipeline diagnostics are attached
  source_table: Archive table that the row was read from
--- */
SELECT
    signal_id,
    mission,
    star_id,
    mission_star_id,
    kic_id,
    epic_id,
    tic_id,
    planet_name,
    disposition,
    disposition_archive,
    period_days,
    t0_bjd,
    duration_hours,
    depth_ppm,
    radius_earth,
    insolation_earth,
    teq_k,
    snr,
    ra_deg,
    dec_deg,
    magnitude,
    distance_pc,
    star_teff_k,
    star_radius_sun,
    star_mass_sun,
    star_logg_cgs,
    count(*) OVER (PARTITION BY star_id) AS signals_on_star,
    has_diagnostics,
    source_table
FROM core_signals

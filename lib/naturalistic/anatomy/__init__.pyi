from .parcels import equal_area_parcels, parcel_columns, subject_parcels

__all__ = ["equal_area_parcels", "parcel_columns", "subject_parcels"]

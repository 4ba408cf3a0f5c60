from .parcels import equal_area_parcels, parcel_columns, parcels_to_surface, subject_parcels

__all__ = ["equal_area_parcels", "parcel_columns", "parcels_to_surface", "subject_parcels"]
